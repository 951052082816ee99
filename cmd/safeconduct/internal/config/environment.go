package config

import (
	"regexp"
	"slices"
	"strings"
)

// otherVariables are those that commands read themselves.
var otherVariables = []string{
	envPrefix + "CONFIG", envPrefix + "SERVER", envPrefix + "TOKEN", envPrefix + "TOKEN_FILE",
	envPrefix + "FROM_PASSWORD", envPrefix + "FROM_PASSWORD_FILE", envPrefix + "TO_PASSWORD", envPrefix + "TO_PASSWORD_FILE",
	envPrefix + "CLIENT_SECRET", envPrefix + "CLIENT_SECRET_FILE",
}

// testPrefix begins variables that only tests read.
const testPrefix = envPrefix + "TEST_"

// serviceLink is what Kubernetes puts into every container for a Service whose name begins with safeconduct.
var serviceLink = regexp.MustCompile(`^SAFECONDUCT(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// readEnvironment reads the settings among variables of the form NAME=value. An empty variable counts as not set.
func (l *loader) readEnvironment(variables []string) map[string]*setting {
	byVariable := make(map[string]*key)
	var known []string // without the prefix, which would make all of them look alike
	for _, name := range otherVariables {
		known = append(known, strings.TrimPrefix(name, envPrefix))
	}
	for _, k := range l.schema.keys {
		byVariable[k.variable()] = k
		known = append(known, strings.TrimPrefix(k.variable(), envPrefix))
	}
	settings := make(map[string]*setting)
	var links []string
	for _, variable := range slices.Sorted(slices.Values(variables)) {
		name, value, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, envPrefix) || strings.HasPrefix(name, testPrefix) || value == "" || slices.Contains(otherVariables, name) {
			continue
		}
		source := source{name: "env " + name}
		k := byVariable[name]
		switch {
		case k != nil:
			s := &setting{key: k, source: source, texts: split(k, value)}
			if l.try(s) {
				settings[k.path] = s
			}
		case serviceLink.MatchString(name) || strings.HasPrefix(value, "tcp://"):
			links = append(links, name)
		default:
			fix := "`safeconduct config show` lists all keys; SAFECONDUCT_SERVER_LISTEN is server.listen"
			if near := Nearest(strings.TrimPrefix(name, envPrefix), known); near != "" {
				fix = "Did you mean " + envPrefix + near + "?"
			}
			l.add(source.problem(place{}, "", false, fault{"unknown variable", fix}))
		}
	}
	if len(links) > 0 {
		source := source{name: "env " + strings.Join(links, ", ")}
		l.add(source.problem(place{}, "", false, fault{
			Count(len(links), "variable") + " of a Kubernetes Service",
			"Set enableServiceLinks: false in the pod, or give the Service a name that does not begin with safeconduct",
		}))
	}
	return settings
}

// split makes the texts of a variable: the items of a list are separated by commas.
func split(k *key, value string) []text {
	if !k.list {
		return []text{{value: value}}
	}
	texts := []text{}
	for item := range strings.SplitSeq(value, ",") {
		texts = append(texts, text{value: strings.TrimSpace(item)})
	}
	return texts
}
