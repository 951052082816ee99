package redistest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// doTimeout bounds one command of a test.
const doTimeout = 5 * time.Second

var errClosed = errors.New("connection closed")

// Do sends one command on a connection of its own, with the password of the server's arguments, and returns the
// answer as text: the elements of an array stand on lines of their own. An error of Redis is an error.
func (s *Server) Do(args ...string) (string, error) {
	answer, err := s.ask(args...)
	return strings.Join(answer, "\n"), err
}

// ask is Do with the elements of the answer apart.
func (s *Server) ask(args ...string) ([]string, error) {
	connection, err := net.DialTimeout("tcp", s.Addr(), doTimeout)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(doTimeout))
	answers := bufio.NewReader(connection)
	if password := s.option("--requirepass"); password != "" && args[0] != "PING" {
		if _, err := exchange(connection, answers, "AUTH", password); err != nil {
			return nil, err
		}
	}
	return exchange(connection, answers, args...)
}

// Monitor reports every command that the server carries out, those inside scripts too, one line each, in the form of
// the MONITOR command. The channel is closed when the test ends.
func (s *Server) Monitor() <-chan string {
	s.t.Helper()
	connection, err := net.DialTimeout("tcp", s.Addr(), doTimeout)
	if err != nil {
		s.t.Fatalf("monitor: %v", err)
	}
	s.t.Cleanup(func() { _ = connection.Close() })
	answers := bufio.NewReader(connection)
	if _, err := exchange(connection, answers, "MONITOR"); err != nil {
		s.t.Fatalf("monitor: %v", err)
	}
	lines := make(chan string, 1<<14)
	go func() {
		defer close(lines)
		for {
			line, err := answers.ReadString('\n')
			if err != nil {
				return
			}
			lines <- strings.TrimPrefix(strings.TrimSpace(line), "+")
		}
	}()
	return lines
}

func exchange(w io.Writer, answers *bufio.Reader, args ...string) ([]string, error) {
	var command strings.Builder
	fmt.Fprintf(&command, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&command, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := io.WriteString(w, command.String()); err != nil {
		return nil, err
	}
	raw, err := readFrame(answers)
	if errors.Is(err, io.EOF) {
		return nil, errClosed
	}
	if err != nil {
		return nil, err
	}
	if raw[0] == '-' {
		return nil, errors.New(strings.TrimSpace(string(raw[1:])))
	}
	return elements(raw), nil
}

// readFrame reads one command or answer of the Redis protocol (RESP2) as it stands on the wire.
func readFrame(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	if len(line) < 3 {
		return nil, fmt.Errorf("not the Redis protocol: %q", line)
	}
	if line[0] != '$' && line[0] != '*' {
		return line, nil
	}
	n, err := strconv.Atoi(string(bytes.TrimSpace(line[1:])))
	if err != nil {
		return nil, fmt.Errorf("not the Redis protocol: %q", line)
	}
	if line[0] == '$' {
		if n < 0 {
			return line, nil
		}
		frame := make([]byte, len(line)+n+2)
		copy(frame, line)
		_, err = io.ReadFull(r, frame[len(line):])
		return frame, err
	}
	frame := line
	for range n {
		element, err := readFrame(r)
		if err != nil {
			return nil, err
		}
		frame = append(frame, element...)
	}
	return frame, nil
}

// elements are the plain values of a frame, nested arrays flattened.
func elements(frame []byte) []string {
	var values []string
	for len(frame) > 0 {
		line, rest, _ := bytes.Cut(frame, []byte("\r\n"))
		frame = rest
		switch line[0] {
		case '*':
		case '$':
			n, _ := strconv.Atoi(string(line[1:]))
			if n < 0 {
				values = append(values, "")
				continue
			}
			values = append(values, string(frame[:n]))
			frame = frame[n+2:]
		default:
			values = append(values, string(line[1:]))
		}
	}
	return values
}
