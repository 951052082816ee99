package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/config"
)

// CheckServer returns the base of a server's URL, scheme and host. Tokens and secrets go there, so it must be https,
// but for this machine.
func CheckServer(server string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return "", errors.New("the server must be a URL of scheme and host, such as https://id.example.com")
	}
	base := u.Scheme + "://" + u.Host
	if u.Scheme != "https" && !(u.Scheme == "http" && config.IsLoopback(u.Hostname())) {
		return "", fmt.Errorf("%s would carry secrets in the clear: write https://%s", base, u.Host)
	}
	return base, nil
}

// Remote reaches a server over the network. base is what CheckServer returned.
func Remote(base, token string) *Client {
	return newClient(http.DefaultTransport, base, token)
}

// localBase stands for the server at the other end of a socket or in this process. No name is looked up.
const localBase = "http://localhost"

// Socket reaches the server that listens on a unix socket, whose operator needs no token.
func Socket(path string) *Client {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}
	return newClient(transport, localBase, "")
}

// InProcess reaches a handler in this process.
func InProcess(handler http.Handler) *Client { return newClient(inProcess{handler}, localBase, "") }

// inProcess calls a handler in place of a network.
type inProcess struct{ handler http.Handler }

// RoundTrip answers a request by the handler.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.RequestURI, r.Host = r.URL.RequestURI(), r.URL.Host
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := &answer{header: make(http.Header)}
	t.handler.ServeHTTP(w, r)
	w.WriteHeader(http.StatusOK)
	return &http.Response{
		StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.header,
		Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

// answer keeps what a handler writes.
type answer struct {
	header http.Header
	body   bytes.Buffer
	status int
}

func (w *answer) Header() http.Header { return w.header }

func (w *answer) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *answer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}
