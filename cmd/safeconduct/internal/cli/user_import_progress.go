package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

const (
	barWidth  = 24
	barPause  = 100 * time.Millisecond // between two pictures
	plainStep = 5000                   // things between two plain lines
)

// progress tells how far a long work is: on a terminal by a bar in one place, elsewhere by a line now and then.
type progress struct {
	to       io.Writer
	total    int64 // bytes; 0 if nobody knows
	terminal bool

	began, drawn time.Time
	lines        int // plain lines that were printed
	visible      bool
}

// tell says that so many bytes were read and so many users dealt with.
func (p *progress) tell(read int64, users int) {
	now := time.Now()
	if !p.terminal {
		if p.lines < users/plainStep {
			p.lines = users / plainStep
			text := grouped(users) + " users"
			if p.total > 0 {
				text += ", " + p.share(read)
			}
			fmt.Fprintln(p.to, text)
		}
		return
	}
	if now.Sub(p.drawn) < barPause {
		return
	}
	p.drawn, p.visible = now, true
	text := grouped(users) + " users"
	if took := now.Sub(p.began); took > time.Second {
		text += fmt.Sprintf(", %s/s", grouped(int(float64(users)/took.Seconds())))
		if read > 0 && read < p.total {
			left := time.Duration(float64(took) / float64(read) * float64(p.total-read))
			text += fmt.Sprintf(", %s left", left.Round(time.Second))
		}
	}
	if p.total > 0 {
		full := int(min(read, p.total) * barWidth / p.total)
		text = "[" + strings.Repeat("=", full) + strings.Repeat(" ", barWidth-full) + "] " + p.share(read) + "  " + text
	}
	fmt.Fprint(p.to, "\r\x1b[K"+text)
}

// clear takes the bar away before something else is printed.
func (p *progress) clear() {
	if p.visible {
		fmt.Fprint(p.to, "\r\x1b[K")
		p.visible, p.drawn = false, time.Time{}
	}
}

// share is which part of a work of a known size is done.
func (p *progress) share(read int64) string {
	return fmt.Sprintf("%d%%", min(read, p.total)*100/p.total)
}

// grouped writes a number as people read it: 100,000.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
