package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// visible replaces control characters, and those that turn the direction of the text around.
func visible(c rune) rune {
	if unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) {
		return unicode.ReplacementChar
	}
	return c
}

// result is what a command has to show, in three forms.
type result struct {
	json  json.RawMessage // for --json
	bare  []string        // for --quiet, one on each line
	human func(*page)     // for people
	words []string        // for people, on the standard error; the last says what to do next
}

// show prints a result in the form that was asked for.
func (a *app) show(r result) error {
	if a.json {
		return a.printJSON(r.json)
	}
	if a.quiet {
		for _, line := range r.bare {
			if _, err := fmt.Fprintln(a.out, clean(line)); err != nil {
				return err
			}
		}
		return nil
	}
	if r.human != nil {
		p := &page{}
		r.human(p)
		if _, err := a.out.Write(p.text()); err != nil {
			return err
		}
	}
	a.say(r.words...)
	return nil
}

// say prints words for people.
func (a *app) say(lines ...string) {
	if a.json || a.quiet {
		return
	}
	for _, line := range lines {
		fmt.Fprintln(a.err, clean(line))
	}
}

func (a *app) printJSON(raw json.RawMessage) error {
	if len(raw) == 0 {
		raw = json.RawMessage("{}")
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.out, "%s\n", harmless(b.Bytes()))
	return err
}

// harmless escapes what could disturb a terminal in a JSON text, where it can stand in strings alone.
func harmless(text []byte) []byte {
	var b bytes.Buffer
	for _, c := range string(text) {
		if c != '\n' && visible(c) != c {
			fmt.Fprintf(&b, "\\u%04x", c)
			continue
		}
		b.WriteRune(c)
	}
	return b.Bytes()
}

// encode makes the JSON of something that is not an answer of the server.
func encode(value any) json.RawMessage {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic("cli: encode a result: " + err.Error())
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// page is text in columns.
type page struct{ rows [][]string }

// row adds a row of a table.
func (p *page) row(cells ...string) { p.rows = append(p.rows, cells) }

// field adds a name with its value, unless that is empty.
func (p *page) field(name, value string) {
	if value != "" {
		p.row("  "+name, value)
	}
}

func (p *page) text() []byte {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	for _, cells := range p.rows {
		for i, cell := range cells {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, clean(cell))
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush() // into memory
	var out bytes.Buffer
	for line := range strings.Lines(b.String()) {
		out.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return out.Bytes()
}

// list writes words in a row.
func list(words []string) string { return strings.Join(words, " ") }

func yes(value bool) string {
	if value {
		return "yes"
	}
	return ""
}

func status(disabled bool) string {
	if disabled {
		return "disabled"
	}
	return "active"
}

func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// ends writes when something ends that may not end by itself.
func ends(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return date(t)
}

// counted writes how many things a list has.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
