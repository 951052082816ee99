package config

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// walker goes through a YAML tree and collects the settings.
type walker struct {
	*loader
	source   source
	settings map[string]*setting
	seen     map[string]place
}

func placeOf(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{1, 1}
	}
	return place{max(t.Position.Line, 1), max(t.Position.Column, 1)}
}

func (w *walker) fault(at place, path string, showValue bool, reason, fix string) {
	w.add(w.source.problem(at, path, showValue, fault{reason, fix}))
}

func (w *walker) documents(file *ast.File) {
	seen := false
	for _, document := range file.Docs {
		if document.Body == nil {
			continue
		}
		at := placeOf(document.Body.GetToken())
		root, isMap := document.Body.(ast.MapNode)
		switch {
		case document.Body.Type() == ast.DirectiveType:
			w.fault(at, "", false, "a YAML directive is not needed", "Take the line away")
		case seen:
			w.fault(at, "", false, "there is a second document behind ---", "Write everything in one")
		case !isMap:
			w.fault(at, "", false, "is not a list of keys and values", "Write lines such as issuer: https://id.example.com")
		default:
			w.section("", root)
		}
		seen = true
	}
}

// section reads the keys of a mapping. prefix is empty or ends with a dot.
func (w *walker) section(prefix string, node ast.MapNode) {
	entries := node.MapRange()
	for entries.Next() {
		name, at, ok := w.name(entries.Key())
		if !ok {
			continue
		}
		path := prefix + name
		if before, twice := w.seen[path]; twice {
			w.fault(at, path, false, fmt.Sprintf("is there twice, first in line %d", before.line), "Keep one of them")
			continue
		}
		w.seen[path] = at
		if strings.Contains(name, ".") {
			w.fault(at, path, false, "unknown key", "Write what is behind the dot on a line of its own below it, indented")
			continue
		}
		w.entry(path, at, entries.Value())
	}
}

// name reads the name of an entry. Only plain names are taken.
func (w *walker) name(node ast.MapKeyNode) (string, place, bool) {
	at := placeOf(node.GetToken())
	if plain, ok := node.(*ast.StringNode); ok {
		return plain.Value, at, true
	}
	w.fault(at, "", false, "is not a plain name of a key", "Write name: value")
	return "", at, false
}

func (w *walker) entry(path string, at place, value ast.Node) {
	key, known := w.schema.byPath[path]
	switch {
	case w.schema.sections[path]:
		w.sectionEntry(path, at, value)
	case !known:
		w.unknown(path, at)
	case key.env != "":
		w.fault(at, path, false, "must not stand in a configuration file", "Use secrets.file, or the variable "+key.variable())
	default:
		w.value(key, at, value)
	}
}

func (w *walker) sectionEntry(path string, at place, value ast.Node) {
	if section, ok := value.(ast.MapNode); ok && value.Type() != ast.MergeKeyType {
		w.section(path+".", section)
		return
	}
	w.fault(at, path, false, "is a section and has keys below it, not a value", "Write its keys indented on lines of their own, or take the line away")
}

func (w *walker) unknown(path string, at place) {
	fix := "`safeconduct config show` lists all keys"
	if similar := w.schema.similar(path); similar != "" {
		fix = "Did you mean " + similar + "?"
	}
	w.fault(at, path, false, "unknown key", fix)
}

// value reads the value of a known key and tries it out.
func (w *walker) value(k *key, at place, node ast.Node) {
	s := &setting{key: k, source: w.source, place: at}
	if sequence, ok := node.(*ast.SequenceNode); ok {
		if !k.list {
			w.fault(placeOf(node.GetToken()), k.path, !k.secret, "is a list, but takes one value", "Write the value alone")
			return
		}
		s.texts = []text{}
		for _, item := range sequence.Values {
			if value, ok := w.scalar(k, placeOf(item.GetToken()), item); ok {
				s.texts = append(s.texts, value)
			}
		}
		if len(s.texts) != len(sequence.Values) {
			return
		}
	} else {
		value, ok := w.scalar(k, at, node)
		if !ok {
			return
		}
		if k.list {
			w.fault(value.place, k.path, !k.secret, "is one value, but takes a list", "Put it into brackets: ["+value.value+"]")
			return
		}
		s.texts = []text{value}
	}
	if w.try(s) {
		w.settings[k.path] = s
	}
}

// scalar reads one plain value. at is the place of the key, for values that have none of their own.
func (w *walker) scalar(k *key, at place, node ast.Node) (text, bool) {
	switch n := node.(type) {
	case nil, *ast.NullNode:
		fix := "Give it one, or take the line away"
		if strings.HasPrefix(k.path, "ui.accent") {
			fix = "Put the colour into quotes: without them # starts a comment"
		}
		w.fault(at, k.path, false, "has no value", fix)
	case *ast.StringNode:
		return text{n.Value, placeOf(n.GetToken())}, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return text{n.GetToken().Value, placeOf(n.GetToken())}, true
	case *ast.LiteralNode:
		w.fault(placeOf(n.GetToken()), k.path, false, "is a block of lines, but takes one line", "Write the value behind the key, in quotes if need be")
	case *ast.AliasNode, *ast.AnchorNode, *ast.TagNode:
		w.fault(placeOf(n.GetToken()), k.path, false, "uses an anchor, an alias or a tag", "Write the value itself")
	default:
		w.fault(placeOf(n.GetToken()), k.path, false, "has keys below it, but takes a value", "Write the value behind the key")
	}
	return text{}, false
}
