package cli

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/api"
)

const (
	// batchMost and batchBytes are what one request may bring.
	batchMost  = 100
	batchBytes = 60_000
)

// What the server says of one user.
const (
	statusCreated = "created"
	statusNew     = "new" // in a dry run
	statusExists  = "exists"
	statusRefused = "refused"
)

// importedUser is a user as the API takes him.
type importedUser struct {
	Username     string `json:"username"`
	Name         string `json:"name,omitempty"`
	Email        string `json:"email,omitempty"`
	PasswordHash string `json:"password_hash,omitempty"`
	Admin        bool   `json:"admin,omitempty"`
	Disabled     bool   `json:"disabled,omitempty"`
}

type importResult struct {
	Status   string `json:"status"`
	Username string `json:"username"`
	Field    string `json:"field"`
	Problem  string `json:"problem"`
}

// seenName stands for a username: a hundred thousand of them need no memory worth mentioning.
type seenName [8]byte

// send sends the batch and takes down what became of it, in the order of the file.
func (r *importRun) send(ctx context.Context, server *api.Client) error {
	batch := r.batch
	r.batch, r.size = r.batch[:0], 0
	var fit []foreigner
	for _, of := range batch {
		if of.problem == "" {
			fit = append(fit, of)
		}
	}
	var results []importResult
	if len(fit) > 0 {
		var err error
		if results, err = r.post(ctx, server, fit); err != nil {
			return err
		}
	}
	for _, of := range batch {
		result := importResult{Status: statusRefused, Problem: of.problem}
		if of.problem == "" {
			result, results = results[0], results[1:]
		}
		if err := r.note(of, result); err != nil {
			return err
		}
	}
	r.progress.tell(r.people.read(), r.report.seen())
	return nil
}

// post sends users. Where the server cannot read them all, one of them is to blame: they are sent one by one then.
func (r *importRun) post(ctx context.Context, server *api.Client, batch []foreigner) ([]importResult, error) {
	in := struct {
		Users  []importedUser `json:"users"`
		DryRun bool           `json:"dry_run"`
	}{DryRun: r.order.dryRun}
	for _, of := range batch {
		in.Users = append(in.Users, of.User)
	}
	raw, err := server.Call(ctx, http.MethodPost, "/users/import", in)
	var refused *api.Error
	switch {
	case errors.As(err, &refused) && (refused.Status == http.StatusBadRequest || refused.Status == http.StatusRequestEntityTooLarge):
		if len(batch) == 1 {
			return []importResult{{Status: statusRefused, Problem: refused.Error()}}, nil
		}
		var all []importResult
		for _, of := range batch {
			one, err := r.post(ctx, server, []foreigner{of})
			if err != nil {
				return nil, err
			}
			all = append(all, one...)
		}
		return all, nil
	case err != nil:
		return nil, err
	}
	var out struct {
		Results []importResult `json:"results"`
	}
	if err := decode(raw, &out); err != nil {
		return nil, err
	}
	if len(out.Results) != len(batch) {
		return nil, fmt.Errorf("the server told of %d users, not of the %d that were sent", len(out.Results), len(batch))
	}
	return out.Results, nil
}

// note takes down what became of one user.
func (r *importRun) note(of foreigner, result importResult) error {
	first := r.first(result.Username, of.line)
	switch {
	case result.Status == statusRefused:
		r.tell(of, importProblem{Status: statusRefused, Field: result.Field, Problem: result.Problem})
	case first != 0:
		r.tell(of, importProblem{Status: statusRefused, Field: "username", Username: result.Username,
			Problem: fmt.Sprintf("username %q is that of line %d already; capitals do not tell names apart", result.Username, first)})
	case result.Status == statusExists && r.order.existing == existingSkip:
		r.report.Existing++
	case result.Status == statusExists:
		r.tell(of, importProblem{Status: statusExists, Field: "username", Username: result.Username, Problem: fmt.Sprintf("username %q exists", result.Username)})
		if r.order.existing == existingFail {
			return &failure{exit: exitConflict, code: "user_exists", message: fmt.Sprintf("line %d: the username %q exists", of.line, result.Username),
				hint: "--existing skip leaves those alone that exist"}
		}
	case result.Status == statusCreated, result.Status == statusNew:
		r.report.made(of)
	default:
		return fmt.Errorf("the server said %q of a user, which this command does not know", clean(result.Status))
	}
	return nil
}

// first is the line in which a name stood before, or 0.
func (r *importRun) first(username string, line int) int {
	if username == "" {
		return 0
	}
	sum := sha256.Sum256([]byte(username))
	name := seenName(sum[:len(seenName{})])
	if before, seen := r.seen[name]; seen {
		return int(before)
	}
	r.seen[name] = uint32(line)
	return 0
}

// usable reports whether a hash of Django's can let anybody in.
func usable(hash string) bool { return hash != "" && !strings.HasPrefix(hash, "!") }
