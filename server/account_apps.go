package server

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/templates"
)

func (s *Server) showApps(c *gin.Context, who *visitor) error {
	rows, err := s.appRows(c.Request.Context(), who.user.ID)
	if err != nil {
		return err
	}
	return s.show(c, http.StatusOK, templates.AppsPage{Account: s.account(c, who), Apps: rows})
}

// appRows are the apps that can do something in a person's name, or that need not ask any more.
func (s *Server) appRows(ctx context.Context, user uuid.UUID) ([]templates.AppRow, error) {
	held, err := s.grantsOf(ctx, user)
	if err != nil {
		return nil, err
	}
	remembered, err := s.grants.Consents(ctx, user)
	if err != nil {
		return nil, err
	}
	byClient := make(map[uint32][]grants.Grant)
	for _, g := range held {
		if !g.Key {
			byClient[g.Client] = append(byClient[g.Client], g)
		}
	}
	consents := make(map[uint32]grants.Consent)
	for _, consent := range remembered {
		if consent.Remember {
			consents[consent.Client] = consent
		}
		if _, live := byClient[consent.Client]; !live && consent.Remember {
			byClient[consent.Client] = nil
		}
	}
	var rows []templates.AppRow
	for number, live := range byClient {
		client, err := s.clients.ByNumber(ctx, number)
		if errors.Is(err, store.ErrNotFound) {
			continue // deleted: what it had is worth nothing
		}
		if err != nil {
			return nil, err
		}
		consent, kept := consents[number]
		kept = kept && consent.ClientEpoch == client.Epoch
		if len(live) == 0 && !kept {
			continue
		}
		row, err := s.appRow(ctx, client, live, consent)
		if err != nil {
			return nil, err
		}
		row.Remembered = kept
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b templates.AppRow) int {
		return strings.Compare(strings.ToLower(a.App.Name)+"\x00"+a.ClientID, strings.ToLower(b.App.Name)+"\x00"+b.ClientID)
	})
	return rows, nil
}

func (s *Server) appRow(ctx context.Context, client *clients.Client, live []grants.Grant, consent grants.Consent) (templates.AppRow, error) {
	catalogue, err := s.resources.Catalogue(ctx)
	if err != nil {
		return templates.AppRow{}, err
	}
	row := templates.AppRow{ClientID: client.ID, App: shownApp(client, "")}
	row.App.Target = ""
	var names []string
	for name := range namesOf(catalogue, consent.Granted) {
		names = append(names, name)
	}
	row.Since = consent.Given
	for _, g := range live {
		names = append(names, describe(catalogue, client, g).granted.Names()...)
		row.Offline = row.Offline || g.Offline
		if row.Since.IsZero() || g.Created.Before(row.Since) {
			row.Since = g.Created
		}
		if g.LastUsed.After(row.LastUsed) {
			row.LastUsed = g.LastUsed
		}
	}
	slices.Sort(names)
	row.Groups = groupScopes(catalogue, slices.Compact(names), func(scope resources.Scope) templates.ConsentScope {
		return templates.ConsentScope{Sensitive: scope.Sensitive}
	})
	return row, nil
}

// revokeApp takes everything from an app that the person gave it.
func (s *Server) revokeApp(c *gin.Context, who *visitor) error {
	f, err := s.accountForm(c, who)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	switch err := s.removeApp(ctx, who.user.ID, f.get("client")); {
	case err == nil:
		s.auditPerson(ctx, "app.revoke", who.user.ID)
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	return doneAt(c, appsPath, templates.DoneApp)
}

// removeApp ends what a client was given in a user's name, and makes it ask again. store.ErrNotFound says that there is no
// such client.
func (s *Server) removeApp(ctx context.Context, user uuid.UUID, clientID string) error {
	client, err := s.clients.Get(ctx, clientID)
	if err != nil {
		return err
	}
	return s.grants.RemoveClient(ctx, user, client.Number)
}
