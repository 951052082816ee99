package cli

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"
)

const (
	barWidth = 24
	barPause = 100 * time.Millisecond // between two pictures
)

// progress tells how far a long work is: on a terminal by a bar in one place, elsewhere by a line now and then.
type progress struct {
	to       io.Writer
	of       string // what is counted, in the plural
	total    int64  // of what is done, which need not be what is counted; 0 if nobody knows
	step     int    // things between two plain lines
	terminal bool

	began, drawn time.Time
	lines        int // plain lines that were printed
	visible      bool
}

// progress shows how far a long work is, where a person looks.
func (a *app) progress(of string, total int64, step int) *progress {
	if a.json || a.quiet {
		return &progress{to: io.Discard, step: step}
	}
	screen, isFile := a.err.(*os.File)
	return &progress{to: a.err, of: of, total: total, step: step, began: time.Now(), terminal: isFile && term.IsTerminal(int(screen.Fd()))}
}

// tell says how much of the total is done, and how many things were dealt with.
func (p *progress) tell(done int64, count int) {
	now := time.Now()
	if !p.terminal {
		if p.lines < count/p.step {
			p.lines = count / p.step
			text := grouped(count) + " " + p.of
			if p.total > 0 {
				text += ", " + p.share(done)
			}
			fmt.Fprintln(p.to, text)
		}
		return
	}
	if now.Sub(p.drawn) < barPause {
		return
	}
	p.drawn, p.visible = now, true
	text := grouped(count) + " " + p.of
	if took := now.Sub(p.began); took > time.Second {
		text += fmt.Sprintf(", %s/s", grouped(int(float64(count)/took.Seconds())))
		if done > 0 && done < p.total {
			left := time.Duration(float64(took) / float64(done) * float64(p.total-done))
			text += fmt.Sprintf(", %s left", left.Round(time.Second))
		}
	}
	if p.total > 0 {
		full := int(min(done, p.total) * barWidth / p.total)
		text = "[" + strings.Repeat("=", full) + strings.Repeat(" ", barWidth-full) + "] " + p.share(done) + "  " + text
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
func (p *progress) share(done int64) string {
	return fmt.Sprintf("%d%%", min(done, p.total)*100/p.total)
}

// grouped writes a number as people read it: 100,000.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
