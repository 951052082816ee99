package main_test

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The command line, told in scripts. Besides the commands of testscript they have
//
//	exits CODE PROGRAM ARG…   runs a program that ends with the code
//	start ARG…                starts dev or serve, and sets ISSUER, LISTEN and PID
//	finish FILE               stops it in good order and leaves its log in the file
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Values[serverKey{}] = &serverOf{}
			env.Setenv("GORACE", promptEnd)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "start": startInScript, "finish": finish},
	})
}

// serverOf holds the server that a script runs.
type (
	serverKey struct{}
	serverOf  struct{ *process }
)

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG…")
	}
	code := 0
	var ended *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &ended) {
		code = ended.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

func startInScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: start ARG…")
	}
	p, err := launch(ts.MkAbs("."), nil, append(args, "--json")...)
	ts.Check(err)
	ts.Defer(func() { _, _ = p.stop(syscall.SIGKILL) })
	ts.Check(p.ready())
	ts.Setenv("ISSUER", p.Issuer)
	ts.Setenv("LISTEN", p.Listen)
	ts.Setenv("PID", strconv.Itoa(p.cmd.Process.Pid))
	ts.Value(serverKey{}).(*serverOf).process = p
}

func finish(ts *testscript.TestScript, neg bool, args []string) {
	p := ts.Value(serverKey{}).(*serverOf).process
	if neg || len(args) != 1 || p == nil {
		ts.Fatalf("usage: finish FILE, after start")
	}
	code, err := p.stop(syscall.SIGTERM)
	ts.Check(err)
	if code != 0 {
		ts.Fatalf("the server ended with %d:\n%s", code, p.log)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(p.log.String()), 0o600))
}
