package server

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
)

// sessionJSON is a browser in which the user is logged in. Apps are those that were given access from it.
type sessionJSON struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Device   string    `json:"device"`
	Network  string    `json:"network"`
	Started  time.Time `json:"started"`
	LastSeen time.Time `json:"last_seen"`
	Ends     time.Time `json:"ends"`
	Apps     []string  `json:"apps"`
}

// listMySessions answers with all sessions at once: a user has a handful.
func (s *Server) listMySessions(c *gin.Context) {
	user, err := me(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	rows, err := s.sessionRows(c.Request.Context(), user, uuid.Nil)
	if err != nil {
		s.fail(c, err)
		return
	}
	out := list[sessionJSON]{Items: make([]sessionJSON, 0, len(rows))}
	for _, r := range rows {
		out.Items = append(out.Items, sessionJSON{r.ID, r.Name, r.Device, r.Network, r.Started, r.LastSeen, r.Ends, notNil(r.Apps)})
	}
	writeJSON(c, http.StatusOK, out)
}

// sessionName is what a user calls a session.
type sessionName struct {
	Name string `json:"name"`
}

func (s *Server) nameMySession(c *gin.Context) {
	var in sessionName
	if err := readJSON(c.Request, &in); err != nil {
		s.fail(c, err)
		return
	}
	s.actOnMySession(c, "session.rename", func(user, id uuid.UUID) error { return s.sessions.Rename(c.Request.Context(), user, id, in.Name) })
}

func (s *Server) endMySession(c *gin.Context) {
	s.actOnMySession(c, "session.end", func(user, id uuid.UUID) error { return s.endSessionOf(c.Request.Context(), user, id) })
}

// actOnMySession does something to the session that the path names, if it is the user's.
func (s *Server) actOnMySession(c *gin.Context, event string, act func(user, id uuid.UUID) error) {
	s.actOnMe(c, event, func(user uuid.UUID) error {
		id, err := uuid.Parse(c.Param("session"))
		if err != nil {
			return notFound("this session")
		}
		lives, err := s.sessions.Lives(c.Request.Context(), user, id)
		if err != nil {
			return err
		}
		if !lives {
			return notFound("this session")
		}
		return act(user, id)
	})
}

// removeMyApp takes everything from an app that the user gave it, and makes it ask again.
func (s *Server) removeMyApp(c *gin.Context) {
	s.actOnMe(c, "app.revoke", func(user uuid.UUID) error { return s.removeApp(c.Request.Context(), user, c.Param("client")) })
}
