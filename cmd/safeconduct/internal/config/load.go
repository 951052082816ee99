package config

import (
	"errors"
	"io/fs"
	"os"
)

// DefaultFile is the configuration file that is read if none is named. It may be absent.
const DefaultFile = "safeconduct.yaml"

// Sources are where a configuration comes from.
type Sources struct {
	// File is the configuration file; empty means DefaultFile if there is one in the working directory.
	File string
	// NoFile reads no file at all.
	NoFile bool
	// Environment holds variables of the form NAME=value.
	Environment []string
	// Flags are values by the path of their key, each with the flag's name as it is shown in errors.
	Flags []Flag
}

// Flag is a value from the command line.
type Flag struct{ Name, Path, Value string }

// Result is a configuration that was found to be sound, with what is known about its origin.
type Result struct {
	Config
	// File is the configuration file, or empty if there was none.
	File     string
	schema   *schema
	settings map[string]*setting
}

// Load reads a configuration. Its error is of type Errors and holds everything that is wrong.
func Load(from Sources) (*Result, error) {
	l := &loader{schema: newSchema()}
	path, named := from.File, from.File != ""
	if !named && !from.NoFile {
		if _, err := os.Stat(DefaultFile); !errors.Is(err, fs.ErrNotExist) {
			path = DefaultFile
		}
	}
	var inFile map[string]*setting
	if path != "" {
		inFile = l.readFile(path, named)
	}
	inEnvironment := l.readEnvironment(from.Environment)
	inFlags := l.readFlags(from.Flags)
	for _, layer := range []map[string]*setting{inFile, inEnvironment} {
		l.refuseSecretsGivenTwice(layer)
	}
	return l.finish(path, merge(inFile, inEnvironment, inFlags))
}

// Parse reads a configuration from the text of a file alone.
func Parse(name string, content []byte) (*Result, error) {
	l := &loader{schema: newSchema()}
	settings := l.parse(name, content)
	l.refuseSecretsGivenTwice(settings)
	return l.finish(name, settings)
}

// loader collects what is wrong.
type loader struct {
	schema   *schema
	problems Errors
	// broken are the keys whose value is wrong already: what follows from them is not said.
	broken map[string]bool
}

func (l *loader) add(p Problem) {
	l.problems = append(l.problems, p)
	if l.broken == nil {
		l.broken = make(map[string]bool)
	}
	l.broken[p.Key] = true
}

// try finds out whether a setting is sound. Every source is tried, also one that another overrides.
func (l *loader) try(s *setting) bool {
	scratch := &Config{}
	sound := true
	for _, t := range s.texts {
		if wrong := s.key.set(scratch, t.value); wrong != nil {
			l.add(s.source.problem(t.place, s.key.path, !s.key.secret && s.key.path != "store.url" && s.key.path != "issuer", *wrong))
			sound = false
		}
	}
	return sound
}

func (l *loader) readFlags(flags []Flag) map[string]*setting {
	settings := make(map[string]*setting)
	for _, f := range flags {
		k := l.schema.byPath[f.Path]
		s := &setting{key: k, source: source{name: "flag --" + f.Name}, texts: []text{{value: f.Value}}}
		if l.try(s) {
			settings[k.path] = s
		}
	}
	return settings
}

// finish puts the chosen settings over the defaults and checks what must fit together.
func (l *loader) finish(file string, settings map[string]*setting) (*Result, error) {
	r := &Result{File: file, schema: l.schema, settings: settings}
	r.Passwords.Queue = -1
	for _, k := range l.schema.keys {
		if s := settings[k.path]; s != nil {
			for _, t := range s.texts {
				k.set(&r.Config, t.value)
			}
		} else if k.standard != "" {
			k.set(&r.Config, k.standard)
		}
	}
	l.checkTogether(r)
	if len(l.problems) > 0 {
		return nil, l.problems
	}
	return r, nil
}
