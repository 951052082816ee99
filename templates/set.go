package templates

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"sync"
)

//go:embed html/*.html
var sources embed.FS

// Options is what an operator may decide about the pages.
type Options struct {
	Brand Brand
	// Folder holds templates that replace ours of the same name; empty for none.
	Folder string
}

// Set is all pages in all languages, ready to be shown. It may be used by many at once.
type Set struct {
	pages     map[string]map[string]parsed // by language and page
	languages []string                     // the first is for whoever speaks none of them
	assets    map[string]Asset
	buffers   sync.Pool
}

// parsed makes a page ready when somebody first asks for it, and keeps it.
type parsed func() (*template.Template, error)

// New reads the templates and makes sure that every one of them can be shown: what is wrong with a replaced template or
// with the brand is said here, by file and line, and not to the first person who comes.
func New(o Options) (*Set, error) {
	brand, err := o.Brand.check()
	if err != nil {
		return nil, err
	}
	assets := brand.assets()
	s := &Set{pages: map[string]map[string]parsed{}, assets: assets.byName}
	s.buffers.New = func() any { return new(bytes.Buffer) }
	files, err := readFolder(o.Folder)
	if err != nil {
		return nil, err
	}
	for _, tag := range languageTags() {
		l, err := loadLanguage(tag)
		if err != nil {
			return nil, err
		}
		s.languages = append(s.languages, tag)
		s.pages[tag] = parsePages(files, l, brand, assets)
	}
	if o.Folder == "" {
		return s, nil // the tests have tried ours
	}
	if err := s.try(); err != nil {
		return nil, fmt.Errorf("templates in %s: %w", o.Folder, err)
	}
	return s, nil
}

// Render writes a page in a language of Language; in the first one if there is no such. It writes all of the page or
// nothing.
func (s *Set) Render(w io.Writer, language string, p Page) error {
	pages, known := s.pages[language]
	if !known {
		pages = s.pages[s.languages[0]]
	}
	buffer := s.buffers.Get().(*bytes.Buffer)
	defer s.buffers.Put(buffer)
	buffer.Reset()
	page, err := pages[p.page()]()
	if err != nil {
		return err
	}
	if err := page.Execute(buffer, p); err != nil {
		return fmt.Errorf("render page %s: %w", p.page(), err)
	}
	_, err = w.Write(buffer.Bytes())
	return err
}

// try shows every page in so many ways that each branch of it is taken, to nobody: a template names a field that does
// not exist only when it comes by.
func (s *Set) try() error {
	for _, tag := range s.languages {
		for _, p := range samples() {
			if err := s.Render(io.Discard, tag, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// parsePages makes the pages of one language. Words and whatever else is the same for every visitor become plain text
// of the templates here, so that showing a page does not look them up again.
func parsePages(files map[string]string, l *language, b brand, a assets) map[string]parsed {
	pages := map[string]parsed{}
	for _, p := range pageKinds() {
		pages[p.page()] = sync.OnceValues(func() (*template.Template, error) { return parsePage(p.page(), files, l, b, a) })
	}
	return pages
}

func parsePage(name string, files map[string]string, l *language, b brand, a assets) (*template.Template, error) {
	page := template.New("").Funcs(l.functions(name, b, a))
	for _, file := range []string{layoutFile, partsFile, name + suffix} {
		if _, err := page.New(file).Parse(files[file]); err != nil {
			return nil, err
		}
	}
	for _, part := range page.Templates() {
		if part.Tree == nil {
			continue
		}
		if err := (folding{part.Tree, l, l.constants(name, b, a)}).list(part.Tree.Root); err != nil {
			return nil, err
		}
	}
	return page.Lookup(layoutFile), nil
}
