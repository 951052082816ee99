package config

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with the configuration.
type Problem struct {
	// Source is a file, a variable of the environment or a flag.
	Source string `json:"source"`
	// Line and Column are the place in a file, counted from 1.
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Key    string `json:"key,omitempty"`
	Reason string `json:"reason"`
	// Fix is what to write instead.
	Fix string `json:"fix,omitempty"`
	// excerpt is the line of the file, without what could be secret.
	excerpt string
}

// String says it in one line.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.Source)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Reason)
	if p.Fix != "" {
		b.WriteString(". " + p.Fix)
	}
	return b.String()
}

// Errors are all problems of a configuration. There is at least one.
type Errors []Problem

// Error lists the problems, those of a file with the line in question.
func (e Errors) Error() string {
	var b strings.Builder
	for _, p := range e {
		b.WriteString(p.String() + "\n")
		if p.excerpt != "" {
			number := fmt.Sprintf("%4d | ", p.Line)
			fmt.Fprintf(&b, "%s%s\n%s^\n", number, p.excerpt, strings.Repeat(" ", len(number)+p.Column-1))
		}
	}
	b.WriteString(Count(len(e), "error"))
	return b.String()
}

// Count says how many of a thing there are.
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// fault is what is wrong with a value.
type fault struct{ reason, fix string }

// quote shows a value that is not secret, and not much of it.
func quote(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return fmt.Sprintf("%q", text)
}
