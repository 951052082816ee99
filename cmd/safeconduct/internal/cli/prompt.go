package cli

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/term"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/config"
)

// interactive reports whether a person can be asked.
func (a *app) interactive() bool { return term.IsTerminal(int(a.in.Fd())) }

// readSecret reads one secret from the standard input: without echo from a terminal, else to the end.
func (a *app) readSecret(ctx context.Context, prompt string) (string, error) {
	return a.interruptible(ctx, func() (string, error) {
		if !a.interactive() {
			return config.ReadSecret(a.in)
		}
		fmt.Fprint(a.err, prompt+": ")
		typed, err := term.ReadPassword(int(a.in.Fd()))
		fmt.Fprintln(a.err)
		if err == nil && len(typed) == 0 {
			err = errors.New("nothing was typed")
		}
		return string(typed), err
	})
}

// interruptible reads from the standard input until the user gives up. The terminal gets its echo back.
func (a *app) interruptible(ctx context.Context, read func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	before, _ := term.GetState(int(a.in.Fd())) // nil when it is no terminal
	answered := make(chan answer, 1)
	go func() {
		text, err := read()
		answered <- answer{text, err}
	}()
	select {
	case got := <-answered:
		if got.err != nil {
			return "", &failure{exit: exitUsage, code: "usage", message: "read from the standard input: " + got.err.Error()}
		}
		return got.text, nil
	case <-ctx.Done():
		if before != nil {
			_ = term.Restore(int(a.in.Fd()), before)
			fmt.Fprintln(a.err)
		}
		return "", ctx.Err()
	}
}

// newPassword gets a new password: from the standard input if that was asked for, else twice from a person.
func (a *app) newPassword(ctx context.Context, fromStdin bool) (string, error) {
	if fromStdin {
		return a.readSecret(ctx, "Password")
	}
	if !a.interactive() {
		return "", usage("there is no terminal to ask for the password: add --password-stdin and pipe it in")
	}
	first, err := a.readSecret(ctx, "New password")
	if err != nil {
		return "", err
	}
	second, err := a.readSecret(ctx, "The same again")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", usage("the two passwords differ: nothing was changed")
	}
	return first, nil
}

// confirm asks before something that cannot be taken back.
func (a *app) confirm(ctx context.Context, agreed bool, what string) error {
	if agreed {
		return nil
	}
	if !a.interactive() {
		return usage("%s cannot be undone: add --yes", what)
	}
	fmt.Fprintf(a.err, "%s cannot be undone. Write yes to go on: ", clean(what))
	answer, err := a.interruptible(ctx, func() (string, error) {
		var word string
		_, err := fmt.Fscanln(a.in, &word)
		return word, err
	})
	if err == nil && answer == "yes" {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &failure{exit: exitFailed, code: "cancelled", message: "nothing was done"}
}
