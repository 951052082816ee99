package clients

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const redirectMax = 2048

// AllowsRedirect reports whether the client registered uri, byte for byte (RFC 9700 §4.1.3). Only the port of a
// loopback address may differ, since native applications listen where there is room (RFC 8252 §7.3).
func (c *Client) AllowsRedirect(uri string) bool {
	if len(uri) > redirectMax {
		return false
	}
	if slices.Contains(c.RedirectURIs, uri) {
		return true
	}
	host, rest, loopback := splitLoopback(uri)
	if !loopback {
		return false
	}
	return slices.ContainsFunc(c.RedirectURIs, func(registered string) bool {
		h, r, ok := splitLoopback(registered)
		return ok && h == host && r == rest
	})
}

// splitLoopback takes the port out of a URI on a loopback address. It compares bytes and parses nothing, so there is
// no second reading of what it accepts. The name localhost is not among them: it may resolve to anything.
func splitLoopback(uri string) (host, rest string, ok bool) {
	for _, host := range []string{"http://127.0.0.1", "http://[::1]"} {
		rest, found := strings.CutPrefix(uri, host)
		if !found {
			continue
		}
		if port, found := strings.CutPrefix(rest, ":"); found {
			digits := len(port) - len(strings.TrimLeft(port, "0123456789"))
			if !validPort(port[:digits]) {
				return "", "", false
			}
			rest = port[digits:]
		}
		return host, rest, rest == "" || rest[0] == '/' || rest[0] == '?'
	}
	return "", "", false
}

func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == port
}

// answerParameters are what we append to a redirect URI: one that was there before could be taken for ours.
var answerParameters = []string{
	"code", "state", "iss", "error", "error_description", "error_uri", "response", "id_token",
	"access_token", "token_type", "expires_in", "scope", "session_state",
}

// redirectProblem says what forbids a redirect URI to be registered and what to do, or nothing. What passes means the
// same to every parser: the rules are narrower than the syntax of URIs.
func redirectProblem(uri string) (problem, fix string) {
	for _, rule := range []func(string) (string, string){redirectSyntax, redirectScheme, redirectPath, redirectQuery} {
		if problem, fix := rule(uri); problem != "" {
			return problem, fix
		}
	}
	return "", ""
}

func redirectSyntax(uri string) (problem, fix string) {
	switch {
	case uri == "":
		return "is empty", "write the whole URI"
	case len(uri) > redirectMax:
		return "is longer than 2 KB", "use a shorter one"
	case strings.Contains(uri, "#"):
		return "has a fragment", "leave out the part from #" // RFC 6749 §3.1.2
	case strings.Contains(uri, "*"):
		return "has a wildcard", "register each URI in full" // RFC 9700 §4.1.3
	}
	for i := range len(uri) {
		c := uri[i]
		switch {
		case c == '%':
			if i+2 >= len(uri) || !isHex(uri[i+1]) || !isHex(uri[i+2]) {
				return "has a % that escapes nothing", "write it as %25"
			}
			if code, _ := strconv.ParseUint(uri[i+1:i+3], 16, 8); code < 0x20 || code == 0x7f {
				return "has an escaped control character", "leave it out"
			}
		case c <= ' ' || c == 0x7f:
			return "has a blank or control character", "leave it out"
		case c > 0x7f:
			return "has a character outside ASCII", "write the host in punycode and the rest percent-encoded"
		case strings.IndexByte("\"<>\\^`{|}", c) >= 0:
			return "has a character that URIs do not allow", "percent-encode it"
		}
	}
	if u, err := url.Parse(uri); err != nil || u.String() != uri {
		return "is not a URI in its plain form", "write it as a browser shows it"
	}
	return "", ""
}

func redirectScheme(uri string) (problem, fix string) {
	scheme, rest, found := strings.Cut(uri, ":")
	if !found || !validScheme(scheme) {
		return "has no scheme in lower case", "write the whole URI, starting with https://"
	}
	switch {
	case scheme == "https":
		return redirectHost(rest)
	case scheme == "http":
		if !strings.HasPrefix(rest, "//") {
			return "has no host", "write it as http://127.0.0.1/path"
		}
		if problem, fix := redirectHost(rest); problem != "" {
			return problem, fix
		}
		u, err := url.Parse(uri)
		if err != nil || !slices.Contains([]string{"127.0.0.1", "::1", "localhost"}, u.Hostname()) {
			return "is http to another machine", "use https; http is for 127.0.0.1, [::1] and localhost only" // RFC 9700 §2.6
		}
	case !strings.Contains(scheme, "."):
		// RFC 8252 §7.1; this also keeps out javascript, data, file and their like.
		return "has a scheme that is neither https nor a reversed domain name", "use https, or a scheme like com.example.app"
	case !strings.HasPrefix(rest, "/"):
		return "has no path", "write it as com.example.app:/path"
	case strings.Contains(strings.SplitN(strings.TrimPrefix(rest, "//"), "/", 2)[0], "@"):
		return "has user information", "leave out the part before @"
	}
	return "", ""
}

func validScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || !('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.')) {
			return false
		}
	}
	return s != ""
}

// redirectHost checks what follows https: or http:.
func redirectHost(rest string) (problem, fix string) {
	authority, found := strings.CutPrefix(rest, "//")
	if !found {
		return "has no host", "write it as https://host/path"
	}
	if end := strings.IndexAny(authority, "/?"); end >= 0 {
		authority = authority[:end]
	}
	if strings.Contains(authority, "@") {
		return "has user information", "leave out the part before @"
	}
	host, port := authority, ""
	if colon := strings.LastIndex(authority, ":"); colon > strings.LastIndex(authority, "]") {
		host, port = authority[:colon], authority[colon+1:]
		if !validPort(port) {
			return "has a bad port", "write a number from 1 to 65535, or none"
		}
	}
	if !validHost(host) {
		return "has a bad host", "write a host name in lower case, in punycode where it is not ASCII, or an IP address"
	}
	return "", ""
}

// validHost accepts host names of lower-case letters, digits and hyphens, and IP addresses in their one spelling.
// Browsers take a name whose last label is a number for an address in one of many spellings.
func validHost(host string) bool {
	if inner, bracketed := strings.CutPrefix(host, "["); bracketed {
		address, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return err == nil && address.Is6() && !address.Is4In6() && "["+address.String()+"]" == host && address.Zone() == ""
	}
	labels := strings.Split(host, ".")
	last := labels[len(labels)-1]
	if last != "" && '0' <= last[0] && last[0] <= '9' {
		address, err := netip.ParseAddr(host)
		return err == nil && address.Is4()
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-') {
				return false
			}
		}
	}
	return len(host) <= 253
}

// redirectPath refuses segments that some parsers resolve and others do not.
func redirectPath(uri string) (problem, fix string) {
	path, _, _ := strings.Cut(uri, "?")
	_, path, _ = strings.Cut(path, ":")
	for segment := range strings.SplitSeq(path, "/") {
		plain, err := url.PathUnescape(segment)
		if err != nil || strings.ContainsAny(plain, "/\\") {
			return "has an escaped slash or backslash in its path", "use another path"
		}
		plain, _, _ = strings.Cut(plain, ";")
		if plain == "." || plain == ".." {
			return "has a . or .. in its path", "write the path that is meant"
		}
	}
	return "", ""
}

func redirectQuery(uri string) (problem, fix string) {
	_, query, found := strings.Cut(uri, "?")
	if !found {
		return "", ""
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return "has a query that cannot be read", "write it as name=value&name=value"
	}
	for name := range values {
		if slices.Contains(answerParameters, strings.ToLower(name)) {
			return "has a parameter in its query that the answer will have", "rename " + name
		}
	}
	return "", ""
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
