package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// fileMax is more than any configuration of some twenty keys. The parser goes down as deep as it is led, and nothing can
// catch a stack that overflows.
const fileMax = 16 << 10

// readFile reads the settings of a YAML file. One that nobody named was found in the working directory, where somebody
// else may have put it to lead passwords and tokens to a server of his own.
func (l *loader) readFile(path string, named bool) map[string]*setting {
	source := source{name: path}
	file, err := os.Open(path)
	if err != nil {
		l.add(source.problem(place{}, "", false, cannotRead(err)))
		return nil
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		l.add(source.problem(place{}, "", false, cannotRead(err)))
		return nil
	}
	if !info.Mode().IsRegular() && info.Mode()&fs.ModeNamedPipe == 0 {
		l.add(source.problem(place{}, "", false, fault{"is not a file", "Name the YAML file itself"}))
		return nil
	}
	if !named && !trusted(info) {
		l.add(source.problem(place{}, "", false, fault{"belongs to another user, or everybody can write it", "Name it with --config if it is meant"}))
		return nil
	}
	content, err := io.ReadAll(io.LimitReader(file, fileMax+1))
	if err != nil {
		l.add(source.problem(place{}, "", false, cannotRead(err)))
		return nil
	}
	settings := l.parse(path, content)
	if info.Mode().Perm()&0o077 != 0 {
		l.refuseSecretsIn(settings)
	}
	return settings
}

// trusted reports whether a file is the user's own or the system's, and nobody else's to write.
func trusted(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && (int(stat.Uid) == os.Geteuid() || stat.Uid == 0) && info.Mode().Perm()&0o002 == 0
}

func cannotRead(err error) fault {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return fault{"cannot be read: " + err.Error(), ""}
}

// parse reads the settings of a YAML text and notes everything that is wrong with it.
func (l *loader) parse(name string, content []byte) map[string]*setting {
	source := source{name: name}
	if len(content) > fileMax {
		l.add(source.problem(place{1, 1}, "", false, fault{"is larger than 16 KiB", "Name the configuration file, not another one"}))
		return nil
	}
	content = bytes.TrimPrefix(content, []byte("\ufeff")) // a byte order mark, which some editors write
	if at, ok := firstBadByte(content); !ok {
		l.add(source.problem(at, "", false, fault{"is not UTF-8 text", "Save the file as UTF-8"}))
		return nil
	}
	source.content = strings.Split(strings.ReplaceAll(string(content), "\r\n", "\n"), "\n")
	file, wrong, at := parseYAML(content)
	if wrong != nil {
		// The line is not shown: half of a quoted password may stand there.
		l.add(source.problem(at, "", false, *wrong))
		return nil
	}
	w := &walker{loader: l, source: source, settings: make(map[string]*setting), seen: make(map[string]place)}
	w.documents(file)
	return w.settings
}

func firstBadByte(content []byte) (place, bool) {
	at := place{1, 1}
	for len(content) > 0 {
		c, size := utf8.DecodeRune(content)
		if c == utf8.RuneError && size <= 1 || c == 0 {
			return at, false
		}
		at.column++
		if c == '\n' {
			at = place{at.line + 1, 1}
		}
		content = content[size:]
	}
	return at, true
}

// parseYAML parses and turns what the parser has to say into a fault with its place.
func parseYAML(content []byte) (file *ast.File, wrong *fault, at place) {
	// The parser is somebody else's, and has met input before that it did not foresee.
	defer func() {
		if p := recover(); p != nil {
			file, wrong, at = nil, &fault{"is not well-formed YAML", "Simplify it: plain keys, texts, numbers and lists are enough"}, place{1, 1}
		}
	}()
	file, err := parser.ParseBytes(content, 0, parser.AllowDuplicateMapKey()) // duplicates are found by us, all of them
	if err == nil {
		return file, nil, place{}
	}
	wrong, at = &fault{reason: "is not well-formed YAML"}, place{1, 1}
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		wrong.reason = fmt.Sprintf("is not well-formed YAML: %s", syntax.GetMessage())
		if token := syntax.GetToken(); token != nil && token.Position != nil {
			at = placeOf(token)
		}
	}
	return nil, wrong, at
}
