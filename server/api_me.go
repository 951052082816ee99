package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/users"
)

// grantJSON is a grant as its user sees it: which app may do what, since when. An API key of the user's own has a name.
type grantJSON struct {
	ID         string    `json:"id"`
	Name       string    `json:"name,omitempty"`
	ClientID   string    `json:"client_id"`
	ClientName string    `json:"client_name"`
	Scopes     []string  `json:"scopes"`
	Audience   []string  `json:"audience"`
	Created    time.Time `json:"created"`
	// Ends is when the grant ends unless the app uses it.
	Ends time.Time `json:"ends"`
}

func (s *Server) showMe(c *gin.Context) {
	id, err := me(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	user, err := s.users.Get(c.Request.Context(), id)
	if err != nil {
		s.fail(c, err)
		return
	}
	writeJSON(c, http.StatusOK, showUser(user))
}

func (s *Server) listMyGrants(c *gin.Context) {
	id, err := me(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	s.listGrants(c, id)
}

func (s *Server) endMyGrant(c *gin.Context) {
	s.actOnMe(c, "grant.revoke", func(user uuid.UUID) error { return s.endGrant(c, user) })
}

func (s *Server) endAllMine(c *gin.Context) {
	s.actOnMe(c, "user.logout_everywhere", func(user uuid.UUID) error {
		return s.endingSessions(c.Request.Context(), user, s.users.EndSessions)
	})
}

// changeMyPassword asks for the current password, with the same limits on guessing as a login: a stolen token must not
// become a stolen account. All grants of the user end, the one that asked included.
func (s *Server) changeMyPassword(c *gin.Context) {
	var in passwordInput
	if err := readJSON(c.Request, &in); err != nil {
		s.fail(c, err)
		return
	}
	s.actOnMe(c, "user.password.change", func(id uuid.UUID) error {
		ctx := c.Request.Context()
		err := s.endingSessions(ctx, id, func(ctx context.Context, id uuid.UUID) error {
			return s.users.ChangePassword(ctx, id, users.Attempt{Password: in.Current, Network: s.clientAddr(c.Request)}, in.New)
		})
		if errors.Is(err, users.ErrCredentials) {
			return &failure{status: http.StatusForbidden, code: codeAccessDenied, description: "the current password is wrong", field: "current_password", cause: err}
		}
		return err
	})
}

// actOnMe does something to the token's own user and answers with nothing but success.
func (s *Server) actOnMe(c *gin.Context, event string, act func(user uuid.UUID) error) {
	id, err := me(c)
	if err == nil {
		err = act(id)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	s.auditAdmin(c, event, id.String())
	done(c)
}

// listGrants answers with the live grants of a user. They are at most a few dozen per client, so a page is named by
// the grant that it follows.
func (s *Server) listGrants(c *gin.Context, user uuid.UUID) {
	ctx := c.Request.Context()
	cursor, limit, err := grantsPage(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	found, err := s.grants.List(ctx, user, cursor, limit+1)
	if err != nil {
		s.fail(c, err)
		return
	}
	shown := make(map[uuid.UUID]grantJSON, len(found))
	for _, g := range found {
		if shown[g.ID], err = s.showGrant(ctx, g); err != nil {
			s.fail(c, err)
			return
		}
	}
	writeJSON(c, http.StatusOK, paged(found, limit, func(g grants.Grant) grantJSON { return shown[g.ID] },
		func(g grants.Grant) string { return g.Cursor() }))
}

// grantsPage is page for a list of grants.
func grantsPage(c *gin.Context) (after grants.Cursor, limit int, err error) {
	text, limit, err := page(c)
	if err != nil {
		return grants.Cursor{}, 0, err
	}
	if after, err = grants.ParseCursor(text); err != nil {
		return grants.Cursor{}, 0, invalidRequest("after must be the next of an earlier page")
	}
	return after, limit, nil
}

func (s *Server) showGrant(ctx context.Context, g grants.Grant) (grantJSON, error) {
	catalogue, err := s.resources.Catalogue(ctx)
	if err != nil {
		return grantJSON{}, err
	}
	client, by := &clients.Client{ID: ownKeyClient}, ownKeys
	if !g.Key {
		client, err = s.clients.ByNumber(ctx, g.Client)
		if errors.Is(err, store.ErrNotFound) {
			client, err = &clients.Client{Name: "(deleted)"}, nil
		}
		by = client
	}
	if err != nil {
		return grantJSON{}, err
	}
	means := describe(catalogue, by, g)
	return grantJSON{
		ID: g.ID.String(), Name: g.Label, ClientID: client.ID, ClientName: client.Name, Scopes: means.granted.Names(),
		Audience: notNil(means.audiences), Created: g.Created, Ends: g.Ends,
	}, nil
}

// endGrant ends the grant that the path names, if it is the user's.
func (s *Server) endGrant(c *gin.Context, user uuid.UUID) error {
	id, err := uuid.Parse(c.Param("grant"))
	if err != nil {
		return notFound("this grant")
	}
	ctx := c.Request.Context()
	// A consent that is remembered would give the app another one without asking.
	held, err := s.grantsOf(ctx, user)
	if err != nil {
		return err
	}
	for _, g := range held {
		if g.ID == id && !g.Key {
			if err := s.grants.ForgetConsent(ctx, user, g.Client); err != nil {
				return err
			}
		}
	}
	found, err := s.grants.End(ctx, user, id)
	if err == nil && !found {
		return notFound("this grant")
	}
	return err
}
