package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// table writes what came of each failure, one row after the other, in Markdown.
type table struct {
	out    io.Writer
	long   bool
	broken int
}

func (t *table) head() {
	form := "short form"
	if t.long {
		form = "long form"
	}
	fmt.Fprintf(t.out, "%s, %s\n\n", time.Now().UTC().Format("2 January 2006"), form)
	fmt.Fprintln(t.out, "| | failure | promise | done | measured | kept |")
	fmt.Fprintln(t.out, "|---|---|---|---|---|---|")
}

func (t *table) row(f failure, s *scene, took time.Duration) {
	kept := "yes"
	if len(s.broken) > 0 {
		t.broken++
		kept = "**no**: " + strings.Join(s.broken, "; ")
	}
	did := s.did
	if did == "" {
		did = "not finished"
	}
	fmt.Fprintf(t.out, "| %s | %s | %s | %s, in %v | %s | %s |\n", f.name, f.title, f.promise, did, took.Round(time.Second), strings.Join(s.figures, "; "), oneLine(kept))
}

// oneLine keeps a row of the table one line.
func oneLine(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", "¦")
}
