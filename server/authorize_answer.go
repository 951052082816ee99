package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/go-oauth2/oauth2/v4"
	oauth2server "github.com/go-oauth2/oauth2/v4/server"

	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/templates"
)

// allow makes the code and answers the app with it. in is nil for a request that was never parked.
func (s *Server) allow(c *gin.Context, in *interaction, approved *approval) error {
	ctx := c.Request.Context()
	to, user := approved.request.returnAddress, approved.who.user.ID
	noteOf(ctx).userID = user.String()
	code, err := s.issueCode(ctx, approved)
	if err != nil {
		return s.refuse(c, to, err)
	}
	if in == nil {
		return s.answerApp(c, to, templates.Field{Name: "code", Value: code})
	}
	in.Outcome, in.Decided, in.Grant = allowed, s.store.Now(), approved.grant
	err = s.write(ctx, in)
	if err == nil {
		// Only now: of an allowance and a refusal at once, one counts, and only what counts is remembered.
		if approved.consent != nil {
			if err := s.grants.SaveConsent(ctx, user, *approved.consent); err != nil {
				return err
			}
		}
		return s.answerApp(c, to, templates.Field{Name: "code", Value: code})
	}
	// Somebody else answered at the same time, or nobody knows: this code was never given out.
	if _, endErr := s.grants.End(ctx, user, approved.grant); endErr != nil {
		return endErr
	}
	if !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("close the interaction: %w", err)
	}
	return s.answerAgain(c, allowed)
}

// answerAgain answers a form that was sent twice like the first time, with the same code while nobody has redeemed it.
func (s *Server) answerAgain(c *gin.Context, same outcome) error {
	in, err := s.parked(c)
	if err != nil {
		return err
	}
	a := in.Authorization.returnAddress
	if !in.fresh(s.store.Now(), same) {
		return lapsed("the request was answered before", a.Home)
	}
	if same == denied {
		return s.refuse(c, a, declined())
	}
	code, err := s.grants.RepeatCode(c.Request.Context(), in.Grant)
	if errors.Is(err, grants.ErrInvalid) {
		return lapsed("the request was answered before", a.Home)
	}
	if err != nil {
		return err
	}
	return s.answerApp(c, a, templates.Field{Name: "code", Value: code})
}

// cancel goes back to the app with nothing.
func (s *Server) cancel(c *gin.Context) error {
	f, err := readPageForm(c.Request)
	if err != nil {
		return err
	}
	in, err := s.parked(c)
	if err != nil {
		return err
	}
	if !s.forms.good(f.get("form_token"), in.secret, loginPath) {
		return staleForm()
	}
	if _, err := s.stillAsks(c.Request.Context(), &in.Authorization); err != nil {
		return err
	}
	return s.decline(c, in)
}

// decline tells the app that the person does not want to.
func (s *Server) decline(c *gin.Context, in *interaction) error {
	if in.Outcome == "" {
		in.Outcome, in.Decided = denied, s.store.Now()
		err := s.write(c.Request.Context(), in)
		if err == nil {
			return s.refuse(c, in.Authorization.returnAddress, declined())
		}
		if !errors.Is(err, store.ErrConflict) {
			return fmt.Errorf("close the interaction: %w", err)
		}
	}
	return s.answerAgain(c, denied)
}

func declined() *failure {
	return &failure{status: http.StatusForbidden, code: codeAccessDenied, description: "the user did not allow it"}
}

// issueCode makes the grant whose tokens wait for the redemption of the code. go-oauth2 carries the call to our manager.
func (s *Server) issueCode(ctx context.Context, approved *approval) (string, error) {
	a := approved.request
	info, err := s.library.GetAuthorizeToken(context.WithValue(ctx, approvalKey{}, approved), &oauth2server.AuthorizeRequest{
		ResponseType: oauth2.Code, ClientID: a.ClientID, RedirectURI: a.RedirectURI, State: a.State, UserID: approved.who.user.ID.String(),
		Scope: strings.Join(approved.names, " "), CodeChallengeMethod: oauth2.CodeChallengeS256,
	})
	if err != nil {
		return "", err
	}
	return info.GetCode(), nil
}

// answerApp sends the app its answer, with its state and our name (RFC 9207 §2), which keeps an answer of another server
// from being taken for ours.
func (s *Server) answerApp(c *gin.Context, to returnAddress, fields ...templates.Field) error {
	if to.State != "" {
		fields = append(fields, templates.Field{Name: "state", Value: to.State})
	}
	fields = append(fields, templates.Field{Name: "iss", Value: s.issuer})
	if to.Mode == modeFormPost {
		client, err := s.clients.Get(c.Request.Context(), to.ClientID)
		if err != nil {
			return err
		}
		page := templates.FormPostPage{App: shownApp(client, to.RedirectURI), Action: to.RedirectURI, Fields: fields}
		return s.show(c, http.StatusOK, page, formTarget(to.RedirectURI))
	}
	c.Header("Referrer-Policy", "no-referrer")
	return seeOther(c, withQuery(to.RedirectURI, fields))
}

// refuse tells the app of a failure, unless it is ours: then a page says so, and the request can be sent again.
func (s *Server) refuse(c *gin.Context, to returnAddress, err error) error {
	f := failureOf(err)
	if f.status >= http.StatusInternalServerError || f.problem != "" {
		return err
	}
	noteOf(c.Request.Context()).failure = f
	return s.answerApp(c, to, templates.Field{Name: "error", Value: f.code}, templates.Field{Name: "error_description", Value: f.description})
}

// withQuery appends fields to a registered URI, of which no byte is changed (RFC 6749 §3.1.2).
func withQuery(uri string, fields []templates.Field) string {
	var out strings.Builder
	out.WriteString(uri)
	separator := byte('?')
	if strings.Contains(uri, "?") {
		separator = '&'
	}
	if strings.HasSuffix(uri, "?") || strings.HasSuffix(uri, "&") {
		separator = 0
	}
	for _, field := range fields {
		if separator != 0 {
			out.WriteByte(separator)
		}
		separator = '&'
		out.WriteString(url.QueryEscape(field.Name) + "=" + url.QueryEscape(field.Value))
	}
	return out.String()
}
