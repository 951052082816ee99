package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/api"
	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/config"
	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/node"
	"github.com/safeconduct/safeconduct/store"
)

// The exit codes.
const (
	exitDone          = 0
	exitFailed        = 1
	exitUsage         = 2
	exitConfiguration = 3
	exitNotAllowed    = 4
	exitNotFound      = 5
	exitConflict      = 6
	exitUnreachable   = 7
	exitFindings      = 8
	exitInterrupted   = 130
)

// failure is an error with its exit code and what to do about it.
type failure struct {
	exit             int
	code             string // for programs
	message, hint    string
	field, requestID string
}

func (f *failure) Error() string { return f.message }

func usage(format string, args ...any) *failure {
	return &failure{exit: exitUsage, code: "usage", message: fmt.Sprintf(format, args...)}
}

// errFindings is the end of a check that ran and found something, all of which was printed.
var errFindings = errors.New("the check has findings")

// report says what went wrong and returns the exit code.
func (a *app) report(ctx context.Context, err error) int {
	if errors.Is(err, errFindings) {
		return exitFindings
	}
	f := explain(ctx, err)
	var problems config.Errors
	errors.As(err, &problems)
	if a.json {
		a.reportJSON(f, problems)
		return f.exit
	}
	if len(problems) > 0 {
		fmt.Fprintln(a.err, cleanLines(problems.Error()))
		return f.exit
	}
	fmt.Fprintln(a.err, "error: "+cleanLines(f.message))
	if f.hint != "" {
		fmt.Fprintln(a.err, cleanLines(f.hint))
	}
	if f.requestID != "" {
		fmt.Fprintln(a.err, "The server's log tells more under request "+clean(f.requestID))
	}
	return f.exit
}

func (a *app) reportJSON(f *failure, problems config.Errors) {
	type body struct {
		Code      string        `json:"code"`
		Message   string        `json:"message"`
		Hint      string        `json:"hint,omitempty"`
		Field     string        `json:"field,omitempty"`
		RequestID string        `json:"request_id,omitempty"`
		Problems  config.Errors `json:"problems,omitempty"`
	}
	text := encode(struct {
		Error body `json:"error"`
	}{body{f.code, f.message, f.hint, f.field, f.requestID, problems}})
	fmt.Fprintf(a.err, "%s\n", harmless(text))
}

// explain is the one table that turns errors into exit codes.
func explain(ctx context.Context, err error) *failure {
	var known *failure
	var problems config.Errors
	var refused *api.Error
	var unreachable *api.UnreachableError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &problems):
		return &failure{exit: exitConfiguration, code: "config_invalid", message: config.Count(len(problems), "error") + " in the configuration"}
	case errors.As(err, &refused):
		return explainRefusal(refused)
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return &failure{exit: exitInterrupted, code: "interrupted", message: "interrupted"}
	case errors.As(err, &unreachable):
		return &failure{exit: exitUnreachable, code: "unreachable", message: err.Error(), hint: "Is the server running, and is this its address?"}
	case errors.Is(err, node.ErrRunning):
		return &failure{exit: exitConflict, code: "store_in_use", message: err.Error(),
			hint: "Stop all servers on it first: what they write meanwhile would be lost or torn. `safeconduct store backup` works while they run"}
	case errors.Is(err, store.ErrUnfinished):
		return &failure{exit: exitConflict, code: "store_unfinished", message: err.Error(),
			hint: "What is there is a part of a store: no server may use it"}
	case errors.Is(err, store.ErrNotEmpty):
		return &failure{exit: exitConflict, code: "store_not_empty", message: err.Error(),
			hint: "--replace writes over it: a data file is moved aside, keys in Redis are deleted"}
	case errors.Is(err, store.ErrBehind):
		return &failure{exit: exitFailed, code: "clock_behind", message: err.Error(), hint: "What has ended would live again by that clock"}
	case errors.Is(err, node.ErrInUse):
		return &failure{exit: exitUnreachable, code: "data_in_use", message: err.Error(),
			hint: "A server runs on these data already. To start another one, stop it or choose another --data-dir. For a command: it does not answer on its socket; if it is just starting, try again, and if it runs in a container, run the command there"}
	case errors.Is(err, node.ErrNothingThere):
		return &failure{exit: exitUnreachable, code: "no_data", message: err.Error(),
			hint: "Start `safeconduct serve` once, or name a server with --server or its data with --data-dir"}
	case errors.Is(err, store.ErrUnavailable):
		return &failure{exit: exitUnreachable, code: "store_unavailable", message: err.Error()}
	case errors.Is(err, fs.ErrPermission):
		return &failure{exit: exitNotAllowed, code: "access_denied", message: err.Error(),
			hint: "Run this as the user that owns it, or choose another folder with --data-dir"}
	case errors.Is(err, syscall.EADDRINUSE):
		return &failure{exit: exitFailed, code: "address_in_use", message: err.Error(), hint: "Another program listens there. Choose another address with --listen"}
	}
	return &failure{exit: exitFailed, code: "failed", message: err.Error()}
}

// explainRefusal says in the command line's terms what the server refused.
func explainRefusal(e *api.Error) *failure {
	f := &failure{exit: exitFailed, code: e.Code, message: e.Error(), field: e.Field}
	if f.code == "" {
		f.code = "failed"
	}
	switch e.Status {
	case http.StatusUnauthorized:
		f.exit, f.hint = exitNotAllowed, "SAFECONDUCT_TOKEN must hold an access token of this server that has not expired"
		if e.Code == "invalid_client" {
			f.hint = "Check the client's id and secret, and how it is registered to send them"
		}
	case http.StatusForbidden:
		f.exit, f.hint = exitNotAllowed, "The access token needs the scope for this, such as admin:clients, admin:users, admin:resources or admin:tokens"
	case http.StatusNotFound:
		f.exit = exitNotFound
	case http.StatusConflict:
		f.exit = exitConflict
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		f.exit, f.requestID = exitUnreachable, e.RequestID
	}
	if e.Status >= http.StatusInternalServerError {
		f.requestID = e.RequestID
	}
	return f
}

// about puts the name of a thing into the refusal of a call on it.
func about(err error, noun, name, list string) error {
	var refused *api.Error
	if !errors.As(err, &refused) {
		return err
	}
	f := explainRefusal(refused)
	switch refused.Status {
	case http.StatusNotFound:
		f.code, f.message, f.hint = noun+"_not_found", fmt.Sprintf("%s %q does not exist", noun, name), "`"+list+"` lists those that do"
	case http.StatusConflict:
		f.code = noun + "_exists"
	}
	return f
}

func flagNames(into *[]string) func(*pflag.Flag) {
	return func(f *pflag.Flag) { *into = append(*into, f.Name) }
}

// clean takes out of a text what could disturb or deceive a terminal.
func clean(text string) string { return strings.Map(visible, text) }

func cleanLines(text string) string {
	return strings.Map(func(c rune) rune {
		if c == '\n' {
			return c
		}
		return visible(c)
	}, text)
}
