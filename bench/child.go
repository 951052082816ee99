package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/safeconduct/safeconduct/server"
	"github.com/safeconduct/safeconduct/users"
)

// job is what a child process is told to be, in the first line of its input.
type job struct {
	Floor bool // a floor instead of the server
	// Engine and Place (a data file or a URL) are the server's store. A floor has a Redis URL or none.
	Engine, Place string
	Secret        string // the system secret
	Hash          users.Params
	HashQueue     int // how many may wait for their hash; 0 is the default
	AccessLog     bool
	// Credentials are the callers that a floor knows.
	Credentials map[string]string
}

// The questions that a child answers, one a line, until its input ends.
const (
	askUsage   = "usage"
	askProfile = "profile"
	askEnd     = "end"
)

// serveChild is the life of a child process. It ends when its input does, so no child outlives its parent.
func serveChild(in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	first, err := lines.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read the job: %w", err)
	}
	var j job
	if err := json.Unmarshal(first, &j); err != nil {
		return fmt.Errorf("read the job: %w", err)
	}
	start := startServer
	if j.Floor {
		start = startFloor
	}
	address, stop, err := start(j)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, address)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return stop()
		}
		answer, err := answerParent(strings.TrimSpace(line))
		if err != nil {
			return err
		}
		fmt.Fprintln(out, answer)
	}
}

func answerParent(line string) (string, error) {
	question, argument, _ := strings.Cut(line, " ")
	switch question {
	case askUsage:
		used, err := ownUsage()
		return strconv.FormatInt(used.Microseconds(), 10), err
	case askProfile:
		file, err := os.Create(argument)
		if err != nil {
			return "", err
		}
		return "ok", pprof.StartCPUProfile(file)
	case askEnd:
		pprof.StopCPUProfile()
		return "ok", nil
	}
	return "", fmt.Errorf("no such question: %q", question)
}

// ownUsage is the processor time that this process has used so far, in user and kernel mode.
func ownUsage() (time.Duration, error) {
	var u unix.Rusage
	err := unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}

// accessLog is the log of a server under test, joined as in a real one. Its lines are written for real, to where nobody
// reads them.
func accessLog(wanted bool) (*slog.Logger, error) {
	if !wanted {
		return slog.New(slog.DiscardHandler), nil
	}
	file, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	return slog.New(server.NewLogBuffer(file).Handler(slog.LevelInfo)), nil
}

// child is a child process as its parent sees it.
type child struct {
	address string
	process *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

const childStops = 30 * time.Second

// startChild starts a child on the core of the servers.
func startChild(on cores, j job) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	process := exec.Command(program, childCommand)
	process.Stderr = os.Stderr
	process.SysProcAttr = dieWithParent()
	in, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := on.start(serverCore, process); err != nil {
		return nil, err
	}
	c := &child{process: process, in: in, out: bufio.NewReader(out)}
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	if c.address, err = c.ask(string(text)); err != nil {
		c.stop()
		return nil, fmt.Errorf("start a child: %w", err)
	}
	return c, nil
}

func (c *child) ask(question string) (string, error) {
	if _, err := io.WriteString(c.in, question+"\n"); err != nil {
		return "", err
	}
	answer, err := c.out.ReadString('\n')
	return strings.TrimSpace(answer), err
}

// usage is the processor time that the child has used so far, in user and kernel mode.
func (c *child) usage() (time.Duration, error) {
	answer, err := c.ask(askUsage)
	if err != nil {
		return 0, fmt.Errorf("ask for processor time: %w", err)
	}
	microseconds, err := strconv.ParseInt(answer, 10, 64)
	return time.Duration(microseconds) * time.Microsecond, err
}

// stop ends the child in good order, or after some time anyhow.
func (c *child) stop() {
	_ = c.in.Close()
	late := time.AfterFunc(childStops, func() { _ = c.process.Process.Kill() })
	defer late.Stop()
	_ = c.process.Wait()
}
