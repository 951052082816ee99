package server

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

// sharedHeader are headers that many answers have. Their values are shared by all of these: a value is replaced, or grows
// into a new one, and is never written to.
type sharedHeader []headerField

type headerField struct {
	name   string // in the canonical spelling
	values []string
}

func (s *sharedHeader) add(name, value string) {
	*s = append(*s, headerField{http.CanonicalHeaderKey(name), []string{value}})
}

func (s sharedHeader) copyTo(h http.Header) {
	for _, f := range s {
		h[f.name] = f.values
	}
}

// mediaType is the one value of a Content-Type header, shared like a sharedHeader.
type mediaType []string

var (
	jsonMedia = mediaType{"application/json; charset=utf-8"}
	jwksMedia = mediaType{"application/jwk-set+json"}
	htmlMedia = mediaType{"text/html; charset=utf-8"}
)

// wantsMediaType reports whether a request asks for a media type by name.
func wantsMediaType(r *http.Request, mediaType string) bool {
	return strings.Contains(r.Header.Get("Accept"), mediaType)
}

// respond answers a request.
func respond(c *gin.Context, status int, media mediaType, body []byte) {
	c.Writer.Header()["Content-Type"] = media
	c.Writer.WriteHeader(status)
	_, _ = c.Writer.Write(body) // whoever does not read on has hung up
}

// writeJSON answers with a value that always encodes.
func writeJSON(c *gin.Context, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		panic("server: encode an answer: " + err.Error())
	}
	respond(c, status, jsonMedia, body)
}
