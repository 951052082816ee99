package bolt_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store/bolt"
)

// patience bounds every wait for something that must happen.
const patience = 10 * time.Second

// childVariable makes the test binary a child of a test: its value names what the child does.
const childVariable = "SAFECONDUCT_BOLT_TEST_CHILD"

// TestMain runs the tests, or what a test wants done in another process: with the data file that the only argument names.
func TestMain(m *testing.M) {
	act, ok := map[string]func(*bolt.Store) error{
		"hold":  holdUntilInputEnds,
		"write": writeUntilKilled,
		"fill":  fillTheDisk,
	}[os.Getenv(childVariable)]
	if !ok {
		os.Exit(m.Run())
	}
	s, err := bolt.Open(os.Args[1], bolt.Options{})
	if err == nil {
		err = act(s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child is another process that works on a data file.
type child struct {
	*exec.Cmd
	input  io.WriteCloser
	output *bufio.Scanner
	errors *strings.Builder
}

// startChild starts a child, which dies with the test.
func startChild(t *testing.T, act, path string) *child {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{Cmd: exec.Command(program, path), errors: &strings.Builder{}}
	c.Env = append(os.Environ(), childVariable+"="+act)
	c.Stderr = c.errors
	if c.input, err = c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	output, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.output = bufio.NewScanner(output)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	return c
}

// line waits for the child's next line.
func (c *child) line(t *testing.T) string {
	t.Helper()
	if !c.output.Scan() {
		c.Wait()
		t.Fatalf("the child ended: %s", c.errors)
	}
	return c.output.Text()
}

func holdUntilInputEnds(s *bolt.Store) error {
	fmt.Println("open")
	io.Copy(io.Discard, os.Stdin)
	return s.Close()
}
