package cli

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// recordMost bounds the bytes of one record: a quote that nobody closed must not bring a whole file into memory.
const recordMost = 1 << 20

var errLongRecord = errors.New("a record is longer than 1 MB")

// foreigner is somebody in a file of another system.
type foreigner struct {
	line, record int
	User         importedUser
	superuser    bool
	problem      string // why he cannot be sent
	other        bool   // nobody at all, but a record of another kind
}

// people reads a file of people, one after the other, in whichever form it is written.
type people struct {
	meter  *meter
	source func() (foreigner, error)
	array  bool // a list in JSON, whose records may all stand in one line
	record int
}

// readPeople finds out the form by the first character: [ is a list in JSON, { are JSON lines, and all else is CSV.
func readPeople(file io.Reader) (*people, error) {
	m := &meter{from: file, budget: recordMost}
	p := &people{meter: m}
	in := bufio.NewReader(m)
	mark, base := []byte("\xef\xbb\xbf"), int64(0)
	if head, _ := in.Peek(len(mark)); bytes.Equal(head, mark) {
		base = int64(len(mark))
		_, _ = in.Discard(len(mark))
	}
	head, err := in.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, &failure{exit: exitFailed, code: "failed", message: "read the file: " + err.Error()}
	}
	head = bytes.TrimLeft(head, " \t\r\n")
	switch {
	case len(head) == 0:
		return nil, &failure{exit: exitFailed, code: "no_users", message: "there are no users in the file"}
	case head[0] == '[':
		p.array = true
		p.source = p.list(json.NewDecoder(in), base)
	case head[0] == '{':
		p.source = p.lines(in)
	default:
		p.source, err = p.table(csv.NewReader(in))
		return p, err
	}
	return p, nil
}

// next is the next person, or io.EOF.
func (p *people) next() (foreigner, error) {
	p.meter.budget = recordMost
	next, err := p.source()
	if err == nil {
		p.record++
		next.record = p.record
	}
	return next, err
}

// read is how many bytes were read.
func (p *people) read() int64 { return p.meter.read }

// list reads what dumpdata writes. Behind a mistake in the JSON nothing can be told apart any more.
func (p *people) list(decoder *json.Decoder, base int64) func() (foreigner, error) {
	begun := false
	broken := func(err error) error {
		line := p.meter.line(base + decoder.InputOffset())
		if errors.Is(err, errLongRecord) {
			return fmt.Errorf("after line %d: %w", line, err)
		}
		return fmt.Errorf("after line %d, record %d: the file is not well-formed JSON", line, p.record)
	}
	return func() (foreigner, error) {
		if !begun {
			if _, err := decoder.Token(); err != nil {
				return foreigner{}, broken(err)
			}
			begun = true
		}
		if !decoder.More() {
			if _, err := decoder.Token(); err != nil {
				return foreigner{}, broken(err)
			}
			return foreigner{}, io.EOF
		}
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return foreigner{}, broken(err)
		}
		who := readDjango(raw)
		who.line = p.meter.line(base+decoder.InputOffset()) - bytes.Count(raw, []byte("\n"))
		return who, nil
	}
}

// lines reads one JSON object from each line.
func (p *people) lines(in *bufio.Reader) func() (foreigner, error) {
	line := 0
	return func() (foreigner, error) {
		for {
			text, err := in.ReadBytes('\n')
			line++
			if err != nil && !errors.Is(err, io.EOF) {
				return foreigner{}, fmt.Errorf("line %d: %w", line, err)
			}
			if text = bytes.TrimSpace(text); len(text) > 0 {
				who := readDjango(text)
				who.line = line
				return who, nil
			}
			if err != nil {
				return foreigner{}, io.EOF
			}
		}
	}
}

// meter counts what is read, and where the lines end.
type meter struct {
	from   io.Reader
	read   int64
	budget int     // what may be read for the next record
	ends   []int64 // of lines that nobody has asked for yet
	lines  int     // before them
}

func (m *meter) Read(into []byte) (int, error) {
	if m.budget <= 0 {
		return 0, errLongRecord
	}
	n, err := m.from.Read(into[:min(len(into), m.budget)])
	for i, c := range into[:n] {
		if c == '\n' {
			m.ends = append(m.ends, m.read+int64(i))
		}
	}
	m.read += int64(n)
	m.budget -= n
	return n, err
}

// line is the line of an offset, none before the last one that was asked for.
func (m *meter) line(offset int64) int {
	done := 0
	for done < len(m.ends) && m.ends[done] < offset {
		done++
	}
	m.ends, m.lines = m.ends[done:], m.lines+done
	return m.lines + 1
}
