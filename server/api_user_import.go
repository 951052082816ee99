package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/users"
)

// importMost is how many users one request may bring. They are written at the same time and share the waits for the disk.
const importMost = 100

// importInput is what people bring from another system.
type importInput struct {
	Users []userInput `json:"users"`
	// DryRun asks what would become of them.
	DryRun bool `json:"dry_run"`
}

// What became of one of them.
const (
	importCreated = "created"
	importNew     = "new" // would be created; the answer of a dry run
	importExists  = "exists"
	importRefused = "refused"
)

// importResult tells of one user. Username is in its one form; it is absent where the user was refused, for nobody knows
// what stands in its place then.
type importResult struct {
	Status   string `json:"status"`
	ID       string `json:"id,omitempty"`
	Username string `json:"username,omitempty"`
	Field    string `json:"field,omitempty"`
	Problem  string `json:"problem,omitempty"`
}

// importUsers makes users and answers with one result for each, in their order. One that cannot be made is in nobody's
// way. Trouble of ours ends the request: repeating it finishes the work.
func (s *Server) importUsers(c *gin.Context) {
	var in importInput
	if err := readJSON(c.Request, &in); err != nil {
		s.fail(c, err)
		return
	}
	if len(in.Users) == 0 || len(in.Users) > importMost {
		f := invalidRequest(fmt.Sprintf("users must hold 1 to %d users", importMost))
		f.field = "users"
		s.fail(c, f)
		return
	}
	results, err := s.importAll(c.Request.Context(), in)
	for _, result := range results {
		if result.Status == importCreated {
			s.auditAdmin(c, "user.import", result.ID)
		}
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	writeJSON(c, http.StatusOK, struct {
		Results []importResult `json:"results"`
	}{results})
}

// importAll imports users side by side, but those of one name one after the other, so that the first has it.
func (s *Server) importAll(ctx context.Context, in importInput) ([]importResult, error) {
	results, failures := make([]importResult, len(in.Users)), make([]error, len(in.Users))
	var running sync.WaitGroup
	for _, namesakes := range byName(in.Users) {
		running.Go(func() {
			made := false // or would have been, without a dry run
			for _, i := range namesakes {
				results[i], failures[i] = s.importOne(ctx, in.Users[i], in.DryRun, made)
				made = made || results[i].Status == importNew
			}
		})
	}
	running.Wait()
	return results, errors.Join(failures...)
}

// byName groups the places of users by their names.
func byName(all []userInput) [][]int {
	var groups [][]int
	group := make(map[string]int)
	for i, in := range all {
		name, err := users.Canonical(in.Username)
		at, known := group[name]
		if err != nil || !known {
			at = len(groups)
			groups = append(groups, nil)
		}
		if err == nil {
			group[name] = at
		}
		groups[at] = append(groups[at], i)
	}
	return groups
}

// importOne imports one user. Taken says that a dry run has met the name before.
func (s *Server) importOne(ctx context.Context, in userInput, dryRun, taken bool) (importResult, error) {
	name, err := users.Canonical(in.Username)
	var made *users.User
	switch {
	case err != nil:
	case in.Password != "":
		err = &store.InvalidError{Field: "password", Problem: "cannot be imported", Fix: "send password_hash, or create the user by itself"}
	case taken:
		err = store.ErrExists
	default:
		// Looking first spares the writes where a whole file is sent once more.
		if err = s.users.Check(ctx, in.user()); err == nil && !dryRun {
			made, err = s.users.Create(ctx, in.user())
		}
	}
	var invalid *store.InvalidError
	switch {
	case errors.As(err, &invalid):
		return importResult{Status: importRefused, Field: invalid.Field, Problem: invalid.Error()}, nil
	case errors.Is(err, store.ErrExists):
		return importResult{Status: importExists, Username: name}, nil
	case err != nil:
		return importResult{}, err
	case made != nil:
		return importResult{Status: importCreated, ID: made.ID.String(), Username: name}, nil
	}
	return importResult{Status: importNew, Username: name}, nil
}
