package server

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/users"
)

// userJSON is a user as it is shown. The password's hash is not.
type userJSON struct {
	ID              string    `json:"id"`
	Username        string    `json:"username"`
	Name            string    `json:"name"`
	Email           string    `json:"email"`
	EmailVerified   bool      `json:"email_verified"`
	Admin           bool      `json:"admin"`
	Disabled        bool      `json:"disabled"`
	SecondFactor    bool      `json:"second_factor"`
	Created         time.Time `json:"created"`
	Updated         time.Time `json:"updated"`
	PasswordChanged time.Time `json:"password_changed,omitzero"`
}

func showUser(u *users.User) userJSON {
	return userJSON{
		ID: u.ID.String(), Username: u.Username, Name: u.Name, Email: u.Email, EmailVerified: u.EmailVerified, Admin: u.Admin, Disabled: u.Disabled,
		SecondFactor: u.SecondFactor, Created: u.Created, Updated: u.Updated, PasswordChanged: u.PasswordChanged,
	}
}

// userInput is a new user.
type userInput struct {
	Username      string `json:"username"`
	Name          string `json:"name"`
	Email         string `json:"email"`
	EmailVerified bool   `json:"email_verified"`
	Password      string `json:"password"`
	// PasswordHash is what another system made of the password. No answer has it.
	PasswordHash string `json:"password_hash"`
	Admin        bool   `json:"admin"`
	Disabled     bool   `json:"disabled"`
}

func (in userInput) user() users.NewUser {
	return users.NewUser{
		Username: in.Username, Name: in.Name, Email: in.Email, EmailVerified: in.EmailVerified,
		Password: in.Password, PasswordHash: in.PasswordHash, Admin: in.Admin, Disabled: in.Disabled,
	}
}

// userChange is a change of a user; what is absent stays.
type userChange struct {
	Username      *string `json:"username"`
	Name          *string `json:"name"`
	Email         *string `json:"email"`
	EmailVerified *bool   `json:"email_verified"`
	Admin         *bool   `json:"admin"`
	Disabled      *bool   `json:"disabled"`
	SecondFactor  *bool   `json:"second_factor"`
}

func (ch userChange) apply(u *users.User) error {
	set(&u.Username, ch.Username)
	set(&u.Name, ch.Name)
	set(&u.Email, ch.Email)
	set(&u.EmailVerified, ch.EmailVerified)
	set(&u.Admin, ch.Admin)
	set(&u.SecondFactor, ch.SecondFactor)
	return nil
}

// userOf finds the user that a path names, by id or by username.
func (s *Server) userOf(c *gin.Context) (*users.User, error) {
	name := c.Param("user")
	if id, err := uuid.Parse(name); err == nil && id.String() == name {
		return s.users.Fresh(c.Request.Context(), id)
	}
	return s.users.ByName(c.Request.Context(), name)
}

func (s *Server) listUsers(c *gin.Context) {
	after, limit, err := page(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	from := uuid.Nil
	if after != "" {
		if from, err = uuid.Parse(after); err != nil {
			s.fail(c, invalidRequest("after must be the next of an earlier page"))
			return
		}
	}
	found, err := s.users.List(c.Request.Context(), from, limit+1)
	if err != nil {
		s.fail(c, err)
		return
	}
	writeJSON(c, http.StatusOK, paged(found, limit, showUser, func(u *users.User) string { return u.ID.String() }))
}

func (s *Server) createUser(c *gin.Context) {
	var in userInput
	if err := readJSON(c.Request, &in); err != nil {
		s.fail(c, err)
		return
	}
	user, err := s.users.Create(c.Request.Context(), in.user())
	if err != nil {
		s.fail(c, err)
		return
	}
	s.auditAdmin(c, "user.create", user.ID.String())
	writeJSON(c, http.StatusCreated, showUser(user))
}

func (s *Server) showUser(c *gin.Context) {
	user, err := s.userOf(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	writeJSON(c, http.StatusOK, showUser(user))
}

// endingIfRaised does what may end every session of a user, and tells the apps if it did.
func (s *Server) endingIfRaised(ctx context.Context, id uuid.UUID, act func() error) error {
	before, err := s.users.Fresh(ctx, id)
	if err != nil {
		return err
	}
	sessions, err := s.liveSessions(ctx, id)
	if err != nil {
		return err
	}
	if err := act(); err != nil {
		return err
	}
	after, err := s.users.Fresh(ctx, id)
	if err == nil && after.Epoch != before.Epoch {
		s.tellAfter(ctx, id, sessions)
	}
	return err
}

func (s *Server) editUser(c *gin.Context) {
	var change userChange
	if err := readJSON(c.Request, &change); err != nil {
		s.fail(c, err)
		return
	}
	ctx := c.Request.Context()
	user, err := s.userOf(c)
	// What takes rights away comes first: it is not left undone when a later part fails.
	if err == nil && change.Disabled != nil && *change.Disabled {
		err = s.endingSessions(ctx, user.ID, func(ctx context.Context, id uuid.UUID) error {
			user, err = s.users.Disable(ctx, id)
			return err
		})
	}
	if err == nil {
		err = s.endingIfRaised(ctx, user.ID, func() error {
			user, err = s.users.Update(ctx, user.ID, change.apply)
			return err
		})
	}
	if err == nil && change.Disabled != nil && !*change.Disabled {
		user, err = s.users.Enable(ctx, user.ID)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	s.auditAdmin(c, "user.edit", user.ID.String())
	writeJSON(c, http.StatusOK, showUser(user))
}

func (s *Server) deleteUser(c *gin.Context) {
	s.actOnUser(c, "user.delete", func(u *users.User) error {
		return s.endingSessions(c.Request.Context(), u.ID, s.users.Delete)
	})
}

// passwordInput sets a password. Only its owner has to know the current one.
type passwordInput struct {
	Current string `json:"current_password"`
	New     string `json:"new_password"`
}

func (s *Server) setUserPassword(c *gin.Context) {
	var in passwordInput
	if err := readJSON(c.Request, &in); err != nil {
		s.fail(c, err)
		return
	}
	if in.Current != "" {
		s.fail(c, invalidRequest("an administrator sets a password without the current one"))
		return
	}
	s.actOnUser(c, "user.password.set", func(u *users.User) error {
		return s.endingSessions(c.Request.Context(), u.ID, func(ctx context.Context, id uuid.UUID) error { return s.users.SetPassword(ctx, id, in.New) })
	})
}

func (s *Server) endAllOfUser(c *gin.Context) {
	s.actOnUser(c, "user.logout_everywhere", func(u *users.User) error {
		return s.endingSessions(c.Request.Context(), u.ID, s.users.EndSessions)
	})
}

func (s *Server) listUserGrants(c *gin.Context) {
	user, err := s.userOf(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	s.listGrants(c, user.ID)
}

func (s *Server) endUserGrant(c *gin.Context) {
	s.actOnUser(c, "grant.revoke", func(u *users.User) error { return s.endGrant(c, u.ID) })
}

// actOnUser does something to the user that the path names and answers with nothing but success.
func (s *Server) actOnUser(c *gin.Context, event string, act func(*users.User) error) {
	user, err := s.userOf(c)
	if err == nil {
		err = act(user)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	s.auditAdmin(c, event, user.ID.String())
	done(c)
}
