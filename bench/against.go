package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"
)

// The environment of -against. Secrets are in no argument: everybody on the machine can read those.
const (
	secretVariable = "BENCH_CLIENT_SECRET"
	askerVariable  = "BENCH_INTROSPECTION_SECRET"
)

// against is somebody else's server: its endpoints, and who asks them.
type against struct {
	token, introspect string // URLs; no introspect for none
	client, asker     credential
	scope             string
}

// endpoint is a URL as the generator needs it.
type endpoint struct {
	address, host, path string
	tls                 *tls.Config // nil for plain HTTP
}

func parseEndpoint(text string) (endpoint, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return endpoint{}, fmt.Errorf("%q is no URL of an endpoint; want one such as https://id.example.com/oauth/token", text)
	}
	e := endpoint{address: u.Host, host: u.Host, path: u.RequestURI()}
	port := "80"
	if u.Scheme == "https" {
		port = "443"
		e.tls = &tls.Config{ServerName: u.Hostname()}
	}
	if u.Port() == "" {
		e.address += ":" + port
	}
	return e, nil
}

// readSecrets fills in the secrets, and says which is missing.
func (a *against) readSecrets() error {
	if a.client.id == "" {
		return errors.New("-against needs -client, the id of a client that may use client_credentials")
	}
	if a.client.secret = os.Getenv(secretVariable); a.client.secret == "" {
		return fmt.Errorf("-against needs the secret of -client in the environment variable %s", secretVariable)
	}
	if a.asker.id == "" {
		a.asker = a.client
	} else if a.asker.secret = os.Getenv(askerVariable); a.asker.secret == "" {
		return fmt.Errorf("-introspection-client needs its secret in the environment variable %s", askerVariable)
	}
	return nil
}

// measureAgainst asks a server that runs elsewhere for tokens, and about one of them, in a closed loop and an open one.
// What it costs that server, only its operator sees.
func (b *bench) measureAgainst(ctx context.Context) (string, error) {
	issue, err := parseEndpoint(b.against.token)
	if err != nil {
		return "", err
	}
	request := head(issue.host, issue.path, basicEscaped(b.against.client))
	form := url.Values{"grant_type": {"client_credentials"}}
	if b.against.scope != "" {
		form.Set("scope", b.against.scope)
	}
	asked := appendForm(nil, request, form.Encode())
	token, err := b.firstToken(issue, asked)
	if err != nil {
		return "", err
	}
	type subject struct {
		name    string
		at      endpoint
		request []byte
		accept  func(answer) error
	}
	subjects := []subject{{"client-credentials", issue, asked, acceptingMember("access_token", nil)}}
	if b.against.introspect != "" {
		at, err := parseEndpoint(b.against.introspect)
		if err != nil {
			return "", err
		}
		about := appendForm(nil, head(at.host, at.path, basicEscaped(b.against.asker)), url.Values{"token": {token}}.Encode())
		subjects = append(subjects, subject{"introspect", at, about, acceptingMember("active", true)})
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%d connections, %d rounds of %v each.\n\n| request | loop | requests/s, best | p50 / p90 / p99 / p99.9 ms of that round |\n|---|---|---|---|\n", b.connections, b.rounds, b.duration)
	for _, s := range subjects {
		for _, rate := range []int{0, b.rate} {
			best, err := b.bestAgainst(ctx, s.at, talk{next: func(dst []byte) ([]byte, bool) { return append(dst, s.request...), true }, accept: s.accept}, rate)
			if err != nil {
				return "", fmt.Errorf("%s: %w", s.name, err)
			}
			loop := "closed"
			if rate > 0 {
				loop = fmt.Sprintf("open, %d/s", rate)
			}
			fmt.Fprintf(&out, "| %s | %s | %.0f | %v |\n", s.name, loop, best.rate(), best.spread)
		}
	}
	return out.String(), nil
}

// bestAgainst is the round with the most answers.
func (b *bench) bestAgainst(ctx context.Context, at endpoint, t talk, rate int) (best round, err error) {
	for range b.rounds {
		talks := make([]talk, b.connections)
		for i := range talks {
			talks[i] = t
		}
		l, err := startLoad(at, talks, rate)
		if err != nil {
			return best, err
		}
		l.wait(ctx, b.duration/5)
		from, before, began := l.marks(), l.asked(), time.Now()
		l.wait(ctx, b.duration)
		l.waitForOne(ctx, before)
		to, took := l.marks(), time.Since(began)
		if err := errors.Join(l.stop(), ctx.Err()); err != nil {
			return best, err
		}
		r := round{took: took, spread: l.spread(from, to)}
		for i := range to {
			r.requests += to[i] - from[i]
		}
		if r.requests == 0 {
			return best, fmt.Errorf("no request was answered in %v", b.duration)
		}
		if best.requests == 0 || r.rate() > best.rate() {
			best = r
		}
	}
	return best, nil
}

func (b *bench) firstToken(at endpoint, request []byte) (string, error) {
	w, err := dial(at, nil)
	if err != nil {
		return "", fmt.Errorf("connect to %s: %w", at.address, err)
	}
	defer w.close()
	a, err := w.exchange(request)
	if err != nil {
		return "", err
	}
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(a.body, &tokens); err != nil || tokens.AccessToken == "" {
		return "", unexpected(a, "an access token")
	}
	return tokens.AccessToken, nil
}

// acceptingMember accepts JSON answers of status 200 that have a member, of that value if it is not nil.
func acceptingMember(name string, value any) func(answer) error {
	return func(a answer) error {
		var members map[string]any
		if a.status != 200 || json.NewDecoder(bytes.NewReader(a.body)).Decode(&members) != nil || members[name] == nil || value != nil && members[name] != value {
			return unexpected(a, name)
		}
		return nil
	}
}

// basicEscaped is basic for credentials that may hold any character (RFC 6749 §2.3.1).
func basicEscaped(c credential) string {
	return basic(url.QueryEscape(c.id), url.QueryEscape(c.secret))
}
