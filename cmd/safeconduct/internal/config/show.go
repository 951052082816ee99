package config

import (
	"runtime"
	"strconv"
	"strings"
)

const masked = "(set, not shown)"

// Effective is the value of a key in effect and where it comes from.
type Effective struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
	Means  string `json:"means"`
}

// Effective lists all keys with their values in effect. Secrets are masked.
func (r *Result) Effective() []Effective {
	var out []Effective
	for _, k := range r.schema.keys {
		e := Effective{Key: k.path, Value: k.standard, Origin: "default", Means: k.means}
		if k.env != "" {
			e.Key = k.variable()
		}
		if s := r.settings[k.path]; s != nil {
			e.Value, e.Origin = s.shown(), s.origin()
		} else if derived := r.derived(k.path); derived != "" {
			e.Value = derived
		}
		out = append(out, e)
	}
	return out
}

// derived is the default of a key whose default depends on others.
func (r *Result) derived(path string) string {
	workers := r.Passwords.Workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	switch path {
	case "store.url":
		return r.StoreName()
	case "secrets.file":
		if r.Secrets.Text == "" {
			return r.OwnSecretsFile()
		}
	case "passwords.workers":
		return strconv.Itoa(workers)
	case "passwords.queue":
		return strconv.Itoa(4 * workers)
	}
	return ""
}

// shown is a setting's value as it may be shown.
func (s *setting) shown() string {
	var values []string
	for _, t := range s.texts {
		values = append(values, t.value)
	}
	value := strings.Join(values, ", ")
	switch {
	case s.key.secret:
		return masked
	case s.key.path == "store.url":
		return maskURL(value)
	case s.key.list:
		return "[" + value + "]"
	}
	return value
}
