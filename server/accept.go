package server

import (
	"net/http"
	"strings"
)

// wantsMediaType reports whether a request asks for a media type by name.
func wantsMediaType(r *http.Request, mediaType string) bool {
	return strings.Contains(r.Header.Get("Accept"), mediaType)
}
