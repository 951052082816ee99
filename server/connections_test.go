package server_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// A connection is bounded in time at every step: net/http has no limit of its own for any of them.
func TestConnectionsAreBoundedInTime(t *testing.T) {
	t.Parallel()
	s := deployBolt(t).server.HTTPServer()
	for what, got := range map[string]time.Duration{
		"ReadHeaderTimeout": s.ReadHeaderTimeout, "ReadTimeout": s.ReadTimeout, "WriteTimeout": s.WriteTimeout, "IdleTimeout": s.IdleTimeout,
	} {
		if got <= 0 || got > time.Minute {
			t.Errorf("%s is %v", what, got)
		}
	}
	if s.ReadHeaderTimeout > 5*time.Second || s.MaxHeaderBytes != 16<<10 {
		t.Errorf("headers may take %v and %d bytes", s.ReadHeaderTimeout, s.MaxHeaderBytes)
	}
}

// Who sends a header or a body byte by byte, or nothing at all, is cut off, and others are served meanwhile.
func TestSlowConnectionsAreCut(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	s := d.server.HTTPServer()
	s.ReadHeaderTimeout, s.ReadTimeout, s.IdleTimeout = 100*time.Millisecond, 200*time.Millisecond, 100*time.Millisecond
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(listener) }()
	t.Cleanup(func() { s.Close() })
	host := strings.TrimPrefix(d.url, "http://")
	for what, begin := range map[string]string{
		"nothing": "", "half a header": "POST /oauth/token HTTP/1.1\r\nHost: " + host + "\r\nX-A: ",
		"half a body":  "POST /oauth/token HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ngrant",
		"half a chunk": "POST /oauth/token HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ngr",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := conn.Write([]byte(begin)); err != nil {
				t.Fatal(err)
			}
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection is still open after ten seconds")
			}
		})
	}
	for range 20 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	wantStatus(t, d.call(http.MethodGet, "/livez", ""), http.StatusOK)
}

// raw sends bytes as they are and reads one response. None means that the server hung up.
func (d *deployment) raw(t testing.TB, request string) (status int, header http.Header, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Write([]byte(request)); err != nil {
		return 0, nil, ""
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, nil, ""
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, response.Header, string(text)
}

// RFC 9112 §6.3 and §11.2: a request whose end two readers could see in different places is refused, and so is one with
// headers that are too large. Nothing of it is our own error.
func TestAmbiguousAndOversizedRequestsAreRefused(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	host := "Host: " + strings.TrimPrefix(d.url, "http://") + "\r\n"
	post := "POST /oauth/token HTTP/1.1\r\n" + host + "Content-Type: application/x-www-form-urlencoded\r\n"
	for what, each := range map[string]struct {
		request string
		want    int
	}{
		"two lengths":              {post + "Content-Length: 3\r\nContent-Length: 30\r\n\r\na=b", 400},
		"length and chunks":        {post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"an unknown coding":        {post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
		"two codings":              {post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 501},
		"a broken chunk":           {post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", 400},
		"a negative length":        {post + "Content-Length: -1\r\n\r\n", 400},
		"a blank before the colon": {post + "Content-Length : 3\r\n\r\na=b", 400},
		"two Hosts":                {"GET /livez HTTP/1.1\r\n" + host + "Host: other.example\r\n\r\n", 400},
		"no Host":                  {"GET /livez HTTP/1.1\r\n\r\n", 400},
		"no path":                  {"GET  HTTP/1.1\r\n" + host + "\r\n", 400},
		"no version":               {"GET /livez\r\n" + host + "\r\n", 400},
		"version 3":                {"GET /livez HTTP/3.0\r\n" + host + "\r\n", 505},
		"a large header":           {"GET /livez HTTP/1.1\r\n" + host + "X-Large: " + strings.Repeat("x", 30<<10) + "\r\n\r\n", 431},
		"many headers":             {"GET /livez HTTP/1.1\r\n" + host + strings.Repeat("X-Many: x\r\n", 3000) + "\r\n", 431},
		"a long URL":               {"GET /livez?" + strings.Repeat("x", 30<<10) + " HTTP/1.1\r\n" + host + "\r\n", 431},
		"a tunnel":                 {"CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n", 421},
		"a tunnel to us":           {"CONNECT / HTTP/1.1\r\n" + host + "\r\n", 405},
		"a tunnel to nowhere":      {"CONNECT /nowhere HTTP/1.1\r\n" + host + "\r\n", 404},
		"an asterisk":              {"OPTIONS * HTTP/1.1\r\n" + host + "\r\n", 404},
		"a trace":                  {"TRACE /oauth/token HTTP/1.1\r\n" + host + "X-Secret: canary\r\n\r\n", 405},
		"an unknown method":        {"BREW /oauth/token HTTP/1.1\r\n" + host + "\r\n", 405},
		"an upgrade":               {"GET /livez HTTP/1.1\r\n" + host + "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 200},
	} {
		status, _, body := d.raw(t, each.request)
		if status != each.want {
			t.Errorf("%s: %d %s, want %d", what, status, body, each.want)
		}
		if strings.Contains(body, "canary") {
			t.Errorf("%s: the request came back in the answer", what)
		}
	}
	wantStatus(t, d.call(http.MethodGet, "/livez", ""), http.StatusOK)
}
