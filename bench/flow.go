package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
)

const (
	flowVerifier = "a-verifier-of-the-benchmark-as-long-as-it-must-be"
	flowPath     = "/oauth/authorize"
	// sessionCookie is what the server calls its cookie where it is not reached over TLS.
	sessionCookie = "sc-session"
)

func askFlow(f *fixture, host string, _ int) talk {
	return flow(f, host, f.site, `"access_token":"sca_`, "orders:read orders:write")
}

func askFlowES256(f *fixture, host string, _ int) talk {
	return flow(f, host, f.site, `"id_token":"ey`, siteScopes...)
}

func askFlowRS256(f *fixture, host string, _ int) talk {
	return flow(f, host, f.siteRSA, `"id_token":"ey`, siteScopes...)
}

// alone lets a floor go through people without using up their turns: it keeps no grants.
func alone(ask func(*fixture, string, int) talk) func(*fixture, string, int) talk {
	return func(f *fixture, host string, i int) talk {
		return ask(&fixture{site: f.site, siteRSA: f.siteRSA, sessions: f.sessions}, host, i)
	}
}

// flow is the code flow of people who are logged in and are not asked any more (RFC 6749 §4.1, RFC 7636): the browser
// asks, and the site redeems the code that it is sent. Each time it is another person.
func flow(f *fixture, host string, site credential, mark string, scopes ...string) talk {
	challenge := sha256.Sum256([]byte(flowVerifier))
	query := url.Values{
		"response_type": {"code"}, "client_id": {site.id}, "redirect_uri": {siteURI}, "scope": {strings.Join(scopes, " ")},
		"state": {"state-of-the-site"}, "nonce": {"nonce-of-the-site"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	ask := []byte("GET " + flowPath + "?" + query.Encode() + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: safeconduct-bench\r\n" +
		"Accept: text/html\r\nAccept-Language: en-GB,en;q=0.7\r\nCookie: " + sessionCookie + "=")
	redeem := head(host, "/oauth/token", basic(site.id, site.secret))
	form := url.Values{"grant_type": {"authorization_code"}, "redirect_uri": {siteURI}, "code_verifier": {flowVerifier}}.Encode() + "&code="
	var code string
	return talk{
		steps: 2,
		next: func(dst []byte) ([]byte, bool) {
			if code != "" {
				return appendForm(dst, redeem, form, code), true
			}
			n := int(f.flows.Add(1)) - 1
			dst = append(append(dst, ask...), f.sessions[n%len(f.sessions)]...)
			return append(dst, "\r\n\r\n"...), n < len(f.sessions)*flowsEach
		},
		accept: func(a answer) error {
			if code != "" {
				code = ""
				return accepting(mark)(a)
			}
			_, rest, found := bytes.Cut(a.location, []byte(siteURI+"?code="))
			if a.status != http.StatusSeeOther || !found {
				return unexpected(a, "a redirect with a code")
			}
			rest, _, _ = bytes.Cut(rest, []byte{'&'})
			code = string(rest)
			return nil
		},
	}
}

// askLoginPage asks as a browser does that was never here.
func askLoginPage(_ *fixture, host string, _ int) talk {
	return repeating([]byte("GET "+loginPath+" HTTP/1.1\r\nHost: "+host+"\r\nUser-Agent: safeconduct-bench\r\n"+
		"Accept: text/html\r\nAccept-Language: en-GB,en;q=0.7\r\n\r\n"), `name="password"`)
}
