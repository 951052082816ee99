package scopes

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
)

// event is an event of a stream, or a comment in it.
type event struct {
	comment  bool
	name, id string
	data     []byte
}

// readEvents reads a stream of server-sent events (HTML Living Standard, section 9.2.6), with the end of lines that our
// server writes. What was begun when the stream ends is no event. An error is the last item.
func readEvents(stream io.Reader) iter.Seq2[event, error] {
	return func(yield func(event, error) bool) {
		lines := bufio.NewScanner(stream)
		lines.Buffer(make([]byte, 0, 4<<10), maxFeedBytes)
		var e event
		for lines.Scan() {
			line := lines.Bytes()
			if len(line) == 0 {
				if e.data != nil && !yield(e, nil) {
					return
				}
				e = event{id: e.id} // the id holds until another one comes
				continue
			}
			field, value, _ := bytes.Cut(line, []byte(":"))
			value = bytes.TrimPrefix(value, []byte(" "))
			switch string(field) {
			case "":
				if !yield(event{comment: true}, nil) {
					return
				}
			case "event":
				e.name = string(value)
			case "id":
				e.id = string(value)
			case "data":
				if len(e.data)+len(value) > maxFeedBytes {
					yield(event{}, errors.New("an event of the stream is too long"))
					return
				}
				if e.data != nil {
					e.data = append(e.data, '\n')
				}
				e.data = append(e.data, value...)
				if e.data == nil {
					e.data = []byte{}
				}
			}
		}
		if err := lines.Err(); err != nil {
			yield(event{}, err)
		}
	}
}
