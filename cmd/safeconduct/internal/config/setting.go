package config

import "fmt"

// setting is a key's value as one source gives it.
type setting struct {
	key    *key
	source source
	place  place // of the key
	// texts is the value: one text, or those of a list.
	texts []text
}

// text is a value or an item of a list, with its place.
type text struct {
	value string
	place place
}

// source is where a setting comes from.
type source struct {
	name    string // a file, "env NAME" or "flag --name"
	content []string
}

// place is a line and column of a file, counted from 1; zero for what has none.
type place struct{ line, column int }

// origin names the source of a setting as `config show` does.
func (s *setting) origin() string {
	if s.place.line > 0 {
		return fmt.Sprintf("%s:%d", s.source.name, s.place.line)
	}
	return s.source.name
}

// problem makes a problem of a fault at a place. What is behind an unknown or secret key is not shown.
func (s source) problem(at place, path string, showValue bool, f fault) Problem {
	p := Problem{Source: s.name, Line: at.line, Column: at.column, Key: path, Reason: f.reason, Fix: f.fix}
	if showValue && at.line > 0 && at.line <= len(s.content) {
		p.excerpt = excerpt(s.content[at.line-1], at.column)
	}
	return p
}

// excerpt is a line of the file for a terminal: tabs and control characters would shift or disturb it.
func excerpt(line string, column int) string {
	const most = 120
	runes := []rune(line)
	if len(runes) > most || column > most {
		return ""
	}
	for i, c := range runes {
		if c < ' ' || c == 0x7f {
			runes[i] = ' '
		}
	}
	return string(runes)
}

// merge chooses for each key the setting of the strongest source. Sources come weakest first. The two ways to give one
// secret displace each other, so that a file never stays behind a variable that was meant to replace it.
func merge(sources ...map[string]*setting) map[string]*setting {
	chosen := make(map[string]*setting)
	for _, layer := range sources {
		for path := range layer {
			delete(chosen, sameSecret[path])
		}
		for path, s := range layer {
			chosen[path] = s
		}
	}
	return chosen
}

// sameSecret pairs the keys that give one secret in two ways.
var sameSecret = map[string]string{
	"store.password": "store.password_file", "store.password_file": "store.password",
	"store.sentinel_password": "store.sentinel_password_file", "store.sentinel_password_file": "store.sentinel_password",
	"secrets.file": keySecret, keySecret: "secrets.file",
}
