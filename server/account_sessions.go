package server

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/templates"
	"github.com/safeconduct/safeconduct/users"
)

func (s *Server) showSessions(c *gin.Context, who *visitor) error {
	return s.answerSessions(c, who, http.StatusOK, "")
}

func (s *Server) answerSessions(c *gin.Context, who *visitor, status int, problem templates.AccountProblem) error {
	rows, err := s.sessionRows(c.Request.Context(), who.user.ID, who.session.ID)
	if err != nil {
		return err
	}
	page := templates.SessionsPage{Account: s.account(c, who), Sessions: rows}
	page.Problem = problem
	return s.show(c, status, page)
}

// sessionRows are the sessions of a person, of which one may be this one.
func (s *Server) sessionRows(ctx context.Context, user, this uuid.UUID) ([]templates.SessionRow, error) {
	sessions, err := s.sessions.List(ctx, user)
	if err != nil {
		return nil, err
	}
	apps, err := s.appsOfSessions(ctx, user)
	if err != nil {
		return nil, err
	}
	var rows []templates.SessionRow
	for _, session := range sessions {
		rows = append(rows, templates.SessionRow{
			ID: session.ID.String(), Name: session.Name, Device: session.Device, Network: session.Network, This: session.ID == this,
			Started: session.AuthTime, LastSeen: session.LastSeen, Ends: session.Ends, Apps: apps[session.ID],
		})
	}
	return rows, nil
}

// appsOfSessions names the apps that were given access in each session.
func (s *Server) appsOfSessions(ctx context.Context, user uuid.UUID) (map[uuid.UUID][]string, error) {
	held, err := s.grantsOf(ctx, user)
	if err != nil {
		return nil, err
	}
	type use struct {
		session uuid.UUID
		client  uint32
	}
	seen := make(map[use]bool)
	names := make(map[uuid.UUID][]string)
	for _, g := range held {
		u := use{g.Session, g.Client}
		if g.Session == uuid.Nil || seen[u] {
			continue
		}
		seen[u] = true
		client, err := s.clients.ByNumber(ctx, g.Client)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		names[g.Session] = append(names[g.Session], client.Name)
	}
	return names, nil
}

// endSession logs one browser out.
func (s *Server) endSession(c *gin.Context, who *visitor) error {
	f, err := s.accountForm(c, who)
	if err != nil {
		return err
	}
	id, err := uuid.Parse(f.get("session"))
	if err != nil {
		return doneAt(c, sessionsPath, templates.DoneSession)
	}
	if id == who.session.ID {
		return s.endHere(c, who, "")
	}
	if err := s.endSessionOf(c.Request.Context(), who.user.ID, id); err != nil {
		return err
	}
	s.auditPerson(c.Request.Context(), "session.end", who.user.ID)
	return doneAt(c, sessionsPath, templates.DoneSession)
}

// endSessionOf ends a session with what hangs on it, and tells the apps that wanted to know.
func (s *Server) endSessionOf(ctx context.Context, user, id uuid.UUID) error {
	found, err := s.sessions.End(ctx, user, id)
	if err != nil || !found {
		return err // of somebody else's session, or of one that has ended, there is nothing to tell
	}
	s.tellAfter(ctx, user, []uuid.UUID{id})
	return nil
}

func (s *Server) endOtherSessions(c *gin.Context, who *visitor) error {
	if _, err := s.accountForm(c, who); err != nil {
		return err
	}
	ctx := c.Request.Context()
	sessions, err := s.sessions.List(ctx, who.user.ID)
	if err != nil {
		return err
	}
	var others []uuid.UUID
	for _, session := range sessions {
		if session.ID != who.session.ID {
			others = append(others, session.ID)
		}
	}
	if err := s.sessions.EndOthers(ctx, who.user.ID, who.session.ID); err != nil {
		return err
	}
	s.tellAfter(ctx, who.user.ID, others)
	s.auditPerson(ctx, "session.end_others", who.user.ID)
	return doneAt(c, sessionsPath, templates.DoneSessions)
}

func (s *Server) nameSession(c *gin.Context, who *visitor) error {
	f, err := s.accountForm(c, who)
	if err != nil {
		return err
	}
	id, err := uuid.Parse(f.get("session"))
	if err != nil {
		return notFound("this session")
	}
	err = s.sessions.Rename(c.Request.Context(), who.user.ID, id, f.get("name"))
	var invalid *users.InvalidError
	switch {
	case errors.As(err, &invalid):
		return s.answerSessions(c, who, http.StatusBadRequest, templates.AccountBadName)
	case err != nil:
		return err
	}
	return doneAt(c, sessionsPath, templates.DoneNamed)
}

// logoutHere ends this browser's session; other browsers and the apps that have access while the person is away go on.
func (s *Server) logoutHere(c *gin.Context, who *visitor) error {
	if _, err := s.accountForm(c, who); err != nil {
		return err
	}
	return s.endHere(c, who, "")
}

// endHere ends this browser's session and leads to the page that says so, or to an app's checked address.
func (s *Server) endHere(c *gin.Context, who *visitor, then string) error {
	if err := s.endSessionOf(c.Request.Context(), who.user.ID, who.session.ID); err != nil {
		return err
	}
	s.auditPerson(c.Request.Context(), "session.end", who.user.ID)
	s.dropCookie(c.Writer, sessionCookie)
	if then != "" {
		c.Header("Referrer-Policy", "no-referrer")
		return seeOther(c, then)
	}
	return seeOther(c, signedOutPath)
}

// logoutEverywhere ends everything that was granted in the person's name: all sessions, all apps, all tokens.
func (s *Server) logoutEverywhere(c *gin.Context, who *visitor) error {
	if _, err := s.accountForm(c, who); err != nil {
		return err
	}
	ctx := c.Request.Context()
	if err := s.endingSessions(ctx, who.user.ID, s.users.EndSessions); err != nil {
		return err
	}
	s.auditPerson(ctx, "user.logout_everywhere", who.user.ID)
	s.dropCookie(c.Writer, sessionCookie)
	return seeOther(c, signedOutPath+"?everywhere=yes")
}
