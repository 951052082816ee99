package main_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo terminal with a program on it.
type terminal struct {
	*os.File
	slave *os.File
	cmd   *exec.Cmd
	shown *output
}

// onTerminal runs a command whose standard input and errors are a terminal.
func onTerminal(t *testing.T, folder string, args ...string) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	term := &terminal{File: master, slave: slave, cmd: exec.Command("safeconduct", args...), shown: &output{}}
	term.cmd.Dir, term.cmd.Env, term.cmd.Stdin, term.cmd.Stderr = folder, environment(), slave, slave
	term.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := term.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(term.shown, master) }()
	return term
}

// answer waits for a prompt and for the echo to go off, and types.
func (term *terminal) answer(t *testing.T, prompt, typed string) {
	t.Helper()
	eventually(t, prompt, func() bool { return strings.Contains(term.shown.String(), prompt) })
	eventually(t, "the echo to go off", func() bool { return !term.echo(t) })
	if _, err := term.WriteString(typed); err != nil {
		t.Fatal(err)
	}
}

func (term *terminal) echo(t *testing.T) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(term.slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// Whoever looks over a shoulder, or at the terminal's history, must not see a password.
func TestPasswordIsAskedForTwiceWithoutEcho(t *testing.T) {
	t.Parallel()
	folder := folder(t)
	start(t, folder, nil, "dev", "--listen", "localhost:0", "--data-dir", "d")
	term := onTerminal(t, folder, "user", "create", "carol", "--data-dir", "d")
	term.answer(t, "New password: ", "staple staple\n")
	term.answer(t, "The same again: ", "staple staple\n")
	if err := term.cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, term.shown)
	}
	if strings.Contains(term.shown.String(), "staple") {
		t.Errorf("the terminal showed the password:\n%s", term.shown)
	}
	if got := must(t, folder, "", nil, "user", "get", "carol", "--data-dir", "d"); !strings.Contains(got, "set 20") {
		t.Errorf("carol has no password:\n%s", got)
	}
}

// Ctrl-C at a prompt ends the command with 130, and the terminal gets its echo back.
func TestInterruptedPromptGivesTheEchoBack(t *testing.T) {
	t.Parallel()
	folder := folder(t)
	term := onTerminal(t, folder, "user", "create", "carol", "--data-dir", filepath.Join(folder, "d"))
	term.answer(t, "New password: ", "\x03")
	if err := term.cmd.Wait(); err == nil || term.cmd.ProcessState.ExitCode() != 130 {
		t.Errorf("got %v, want exit 130\n%s", err, term.shown)
	}
	if !term.echo(t) {
		t.Error("the terminal has no echo")
	}
}
