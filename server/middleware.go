package server

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// begin gives a request its id, its log line and the limits that hold everywhere, and turns a panic into an answer.
func (s *Server) begin(c *gin.Context) {
	started := time.Now()
	n := &note{Context: c.Request.Context(), id: newRequestID(), route: c.FullPath()}
	n.idHeader[0] = n.id
	c.Request = c.Request.WithContext(n)
	if length := c.Request.ContentLength; c.Request.Body != http.NoBody && (length <= 0 || length > maxBody) {
		c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxBody) // net/http itself holds others to their length
	}
	h := c.Writer.Header()
	s.everyHeader.copyTo(h)
	h["X-Request-Id"] = n.idHeader[:]
	defer func() {
		if p := recover(); p != nil {
			s.answerPanic(c, n, p)
		}
		s.logRequest(c, n, started)
	}()
	c.Next()
}

// everyHeader are the headers of every answer, before a handler changes them.
func everyHeader(secure bool) sharedHeader {
	var h sharedHeader
	h.add("X-Content-Type-Options", "nosniff")
	h.add("Referrer-Policy", "no-referrer")
	h.add("Cross-Origin-Resource-Policy", "same-origin")
	h.add("Cache-Control", "no-store")
	if secure {
		h.add("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	}
	return h
}

// answerPanic answers a request whose handling panicked. The log gets the stack and nothing of the request: headers and
// bodies hold secrets.
func (s *Server) answerPanic(c *gin.Context, n *note, p any) {
	if p == http.ErrAbortHandler {
		panic(p)
	}
	what := fmt.Sprintf("%T", p) // the value of a panic may hold anything; a runtime error holds no request data
	if err, ok := p.(runtime.Error); ok {
		what = err.Error()
	}
	s.log.LogAttrs(c.Request.Context(), slog.LevelError, "panic", slog.String("request_id", n.id),
		slog.String("route", c.FullPath()), slog.String("panic", what), slog.String("stack", string(debug.Stack())))
	if !c.Writer.Written() {
		s.fail(c, fmt.Errorf("panic in %s", c.FullPath()))
	}
	c.Abort()
}

// logRequest writes the request's one line. The route is our own pattern: paths and queries may hold what was pasted
// in the wrong place.
func (s *Server) logRequest(c *gin.Context, n *note, started time.Time) {
	if !s.log.Enabled(c.Request.Context(), slog.LevelInfo) {
		return
	}
	now := time.Now()
	line := slog.NewRecord(now, slog.LevelInfo, "request", 0) // without the place in the code, which is always this one
	line.AddAttrs(slog.String("request_id", n.id), slog.String("method", knownMethod(c.Request.Method)),
		slog.String("route", n.route), slog.Int("status", c.Writer.Status()), slog.Float64("took_ms", float64(now.Sub(started).Microseconds())/1000))
	more := make([]slog.Attr, 0, 4)
	if n.clientID != "" {
		more = append(more, slog.String("client_id", n.clientID))
	}
	if n.userID != "" {
		more = append(more, slog.String("user_id", n.userID))
	}
	if n.failure != nil {
		more = append(more, slog.String("error", n.failure.code), slog.String("reason", n.failure.description))
	}
	line.AddAttrs(more...)
	_ = s.log.Handler().Handle(c.Request.Context(), line) // a log that fails has nobody to tell
}

func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead, http.MethodOptions:
		return method
	}
	return "other"
}

// checkHost refuses requests for a name that is not ours, so that no answer can be attributed to another host. Health
// checks come by address and are let through, and so is what the page is made of that tells people of the wrong name. So
// are proxies that ask about a request: Caddy and Envoy ask under the host that the user wrote, Traefik under our address.
// Their answer tells of a token and holds no link, issuer or cookie that could be attributed to a host.
func (s *Server) checkHost(c *gin.Context) {
	path := c.Request.URL.Path
	if s.hosts[hostName(c.Request.Host, s.issuer)] || isHealthPath(path) || isCheckPath(path) || strings.HasPrefix(path, assetsPath) || isLocal(c.Request.Context()) {
		return
	}
	s.fail(c, &failure{status: http.StatusMisdirectedRequest, code: codeInvalidRequest,
		description: "this server answers as " + s.issuer + "; use that name, or set issuer or server.allowed_hosts to the name you use"})
}

// hostName is a Host header in the one form that is compared: lower case, without the port that its scheme implies.
func hostName(host, issuer string) string {
	host = strings.ToLower(host)
	if strings.HasPrefix(issuer, "https://") {
		return strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":80")
}

// checkSpelling refuses a path whose fixed parts are percent-encoded, as /%61pi or /oauth%2ftoken. The router decodes
// before it looks, but what stands before us may not: a path that a proxy guards must have one spelling.
func (s *Server) checkSpelling(c *gin.Context) {
	raw := c.Request.URL.RawPath // empty for the common spelling
	if raw == "" {
		return
	}
	fixed, _, open := strings.Cut(c.FullPath(), "*") // what stands behind is not ours to spell
	pattern, given := strings.Split(fixed, "/"), strings.Split(raw, "/")
	if open && len(given) >= len(pattern) {
		pattern, given = pattern[:len(pattern)-1], given[:len(pattern)-1]
	}
	same := len(pattern) == len(given)
	for i := 0; same && i < len(pattern); i++ {
		same = strings.HasPrefix(pattern[i], ":") || pattern[i] == given[i]
	}
	if !same {
		s.fail(c, notFound("this path"))
	}
}
