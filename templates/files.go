package templates

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	suffix     = ".html"
	layoutFile = "layout" + suffix // what all pages have around them
	partsFile  = "parts" + suffix  // what several pages use
)

// Names are the files that the pages are made of. An operator may replace each of them.
func Names() []string {
	names := []string{layoutFile, partsFile}
	for _, p := range pageKinds() {
		names = append(names, p.page()+suffix)
	}
	return names
}

// Source is our own file of a name, to start a replacement from.
func Source(name string) (string, bool) {
	text, err := sources.ReadFile("html/" + name)
	return string(text), err == nil
}

// readFolder returns all files, those of the folder instead of ours. A file that replaces nothing is refused, because
// it is most likely misspelled. Hidden ones are not looked at: editors and volume mounts leave them.
func readFolder(folder string) (map[string]string, error) {
	files := map[string]string{}
	for _, name := range Names() {
		files[name], _ = Source(name)
	}
	if folder == "" {
		return files, nil
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("read the folder of templates: %w", err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, ".") {
			continue
		}
		if _, ours := files[name]; !ours {
			return nil, fmt.Errorf("templates in %s: %s replaces nothing; the templates are %s", folder, name, strings.Join(Names(), ", "))
		}
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return nil, fmt.Errorf("read a template: %w", err)
		}
		files[name] = string(text)
	}
	return files, nil
}
