package templates

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"strings"
)

var (
	//go:embed assets/style.css
	styleSheet []byte
	//go:embed assets/app.js
	script []byte
	//go:embed assets/icon.svg
	icon []byte
)

const assetsPath = "/assets/"

// Asset is a file that the pages load.
type Asset struct {
	Body []byte
	Type string
}

// Asset returns the file that is served under /assets/<name>. The name changes with the content, so that browsers may
// keep it for ever.
func (s *Set) Asset(name string) (Asset, bool) {
	a, found := s.assets[name]
	return a, found
}

// assets are the files that the pages load, by the names that they are served under, and the path of each.
type assets struct {
	byName map[string]Asset
	paths  map[string]string
}

func (b brand) assets() assets {
	a := assets{map[string]Asset{}, map[string]string{}}
	a.add("style.css", ".css", "text/css; charset=utf-8", styleSheet)
	a.add("app.js", ".js", "text/javascript; charset=utf-8", script)
	a.add("icon", ".svg", "image/svg+xml", icon)
	if b.theme != "" {
		a.add("theme.css", ".css", "text/css; charset=utf-8", []byte(b.theme))
	}
	if len(b.logo) > 0 {
		extension := map[string]string{"image/png": ".png", "image/svg+xml": ".svg", "image/webp": ".webp"}[b.logoType]
		a.add("logo", extension, b.logoType, b.logo)
	}
	return a
}

func (a assets) add(name, extension, mediaType string, body []byte) {
	sum := sha256.Sum256(body)
	served := strings.TrimSuffix(name, extension) + "." + hex.EncodeToString(sum[:6]) + extension
	a.byName[served] = Asset{Body: body, Type: mediaType}
	a.paths[name] = assetsPath + served
}

// path is where a file is served, for templates: {{asset "style.css"}}.
func (a assets) path(names ...string) (string, error) {
	if len(names) == 1 && a.paths[names[0]] != "" {
		return a.paths[names[0]], nil
	}
	return "", fmt.Errorf("there is no asset %q", names)
}
