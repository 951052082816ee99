package templates

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"strconv"
	"strings"
)

//go:embed words/*.json
var wordFiles embed.FS

// language is the words of one language.
type language struct {
	tag    string
	words  map[string]string
	months []string
}

// languageTags are the languages there are. The first is for whoever speaks none of them.
func languageTags() []string { return []string{"en", "de"} }

func loadLanguage(tag string) (*language, error) {
	text, err := wordFiles.ReadFile("words/" + tag + ".json")
	if err != nil {
		return nil, err
	}
	l := &language{tag: tag}
	if err := json.Unmarshal(text, &l.words); err != nil {
		return nil, fmt.Errorf("words/%s.json: %w", tag, err)
	}
	l.months = strings.Fields(l.words["months"])
	return l, nil
}

// functions are what a template may call.
func (l *language) functions(page string, b brand, a assets) template.FuncMap {
	functions := template.FuncMap{
		// text and plain write words; see folding.
		"text":     alone,
		"plain":    alone,
		"when":     l.when,
		"duration": l.duration,
		"count":    l.count,
		"title":    l.title,
		"describe": l.describe,
		"resource": l.resource,
	}
	for name, f := range l.constants(page, b, a) {
		functions[name] = f
	}
	return functions
}

// constants are the functions that give the same to everybody.
func (l *language) constants(page string, b brand, a assets) map[string]func(...string) (string, error) {
	constant := func(value string) func(...string) (string, error) {
		return func(...string) (string, error) { return value, nil }
	}
	return map[string]func(...string) (string, error){
		"page":   constant(page),
		"lang":   constant(l.tag),
		"server": constant(b.Name),
		"asset":  a.path,
		// logo and theme are the paths of the operator's own, empty for none.
		"logo":  constant(a.paths["logo"]),
		"theme": constant(a.paths["theme.css"]),
	}
}

func alone(...any) (string, error) {
	return "", errors.New(`words stand alone in their braces: {{text "key"}}`)
}

// count is the words for one or for more of something.
func (l *language) count(key string, n int) (string, error) {
	form := ".other"
	if n == 1 {
		form = ".one"
	}
	words, known := l.words[key+form]
	if !known {
		return "", fmt.Errorf("there are no words %q in %s", key+form, l.tag)
	}
	return strings.ReplaceAll(words, "{n}", strconv.Itoa(n)), nil
}

// title is a scope in a few words: our own in the language of the reader, others as they were defined. A scope without
// a title goes by its name.
func (l *language) title(scope, given string) string {
	if words, ours := l.words["scope."+scope]; ours {
		return words
	}
	if given != "" {
		return given
	}
	return scope
}

func (l *language) describe(scope, given string) string {
	if words, ours := l.words["scope_text."+scope]; ours {
		return words
	}
	return given
}

// resource is the name of an API. The server's own two are known by the names that they go by in the program.
func (l *language) resource(name string) string {
	switch name {
	case "Your identity":
		return l.words["resource.identity"]
	case "Safeconduct":
		return l.words["resource.own"]
	}
	return name
}
