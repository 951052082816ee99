package clients

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/store"
)

const (
	nameMax         = 100  // characters
	redirectURIsMax = 20   // per client
	scopesMax       = 200  // per client
	scopesBytesMax  = 2048 // as one string
	windowMax       = 300  // seconds
)

// adminScopes are the operator's own: no client of somebody else may hold one.
const adminScopes = "admin:"

// reservedID stands for the operator in the audit log.
const reservedID = "operator"

// validID reports whether id may be a client_id: lower-case letters, digits and inner hyphens, at most 64 of them. It is asked at
// each look-up, so it is no regular expression.
func validID(id string) bool {
	if id == "" || len(id) > 64 || id[0] == '-' || id[len(id)-1] == '-' {
		return false
	}
	for _, c := range []byte(id) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// Validate returns an *InvalidError if a client breaks a rule. It is the only door: no client is stored that did not
// pass it.
func Validate(c *Client) error {
	for _, rule := range []func(*Client) error{
		validateNames, validateType, validateGrantTypes, validateScopes, validateRequiredScopes, validateRedirectURIs,
		validatePKCE, validateSecrets, validateRefresh, validateForUsers, validateHomePage, validateLogout, validateIDTokens,
	} {
		if err := rule(c); err != nil {
			return err
		}
	}
	return nil
}

func invalid(field, problem, fix string) error {
	return &InvalidError{Field: field, Problem: problem, Fix: fix}
}

func validateNames(c *Client) error {
	if !validID(c.ID) {
		return invalid("client_id", "is not made of a-z, 0-9 and inner hyphens, 64 at most", "choose another, or leave it to the server")
	}
	if _, err := uuid.Parse(c.ID); err == nil || c.ID == reservedID {
		// RFC 9700 §4.15: a machine's token has the client_id as its subject, and must not pass for a user's.
		return invalid("client_id", "could be taken for a user or for the operator", "choose another")
	}
	switch {
	case c.Name == "":
		return invalid("name", "is empty", "give a name that users know")
	case !utf8.ValidString(c.Name):
		return invalid("name", "is not valid UTF-8", "send it in UTF-8")
	case utf8.RuneCountInString(c.Name) > nameMax:
		return invalid("name", "is longer than 100 characters", "choose a shorter one")
	case strings.TrimSpace(c.Name) != c.Name:
		return invalid("name", "starts or ends with a blank", "leave it out")
	case strings.ContainsFunc(c.Name, store.Unseen):
		return invalid("name", "contains a character that cannot be seen", "leave it out")
	}
	return nil
}

func validateType(c *Client) error {
	switch {
	case c.Type != Confidential && c.Type != Public && c.Type != Service:
		return invalid("type", "is unknown", "use confidential, public or service")
	case c.AuthMethod != SecretBasic && c.AuthMethod != SecretPost && c.AuthMethod != None:
		return invalid("auth_method", "is unknown", "use client_secret_basic, client_secret_post, or none for a public client")
	case c.Type == Public && c.AuthMethod != None:
		return invalid("auth_method", "needs a secret, which a public client cannot keep", "use none, or register a confidential client")
	case c.Type != Public && c.AuthMethod == None:
		// CVE-2026-44476: what authenticates by nothing must never pass for confidential.
		return invalid("auth_method", "none is for public clients", "use client_secret_basic or client_secret_post")
	}
	return nil
}

func validateGrantTypes(c *Client) error {
	if len(c.GrantTypes) == 0 {
		return invalid("grant_types", "is empty", "name at least one")
	}
	for i, grantType := range c.GrantTypes {
		field := fmt.Sprintf("grant_types[%d]", i)
		switch {
		case slices.Contains(c.GrantTypes[:i], grantType):
			return invalid(field, "is named twice", "name it once")
		case !slices.Contains([]string{AuthorizationCode, RefreshToken, Password, ClientCredentials}, grantType):
			return invalid(field, "is unknown", "use authorization_code, refresh_token, password or client_credentials")
		case c.Type == Service && grantType != ClientCredentials:
			return invalid(field, "acts for a user, which a service does not", "use client_credentials alone, or register a confidential client")
		case c.Type == Public && grantType == ClientCredentials:
			// RFC 6749 §4.4: only for clients that authenticate themselves.
			return invalid(field, "client_credentials is not for public clients", "register a service")
		case c.Type == Public && grantType == Password && !c.FirstParty:
			// RFC 9700 §2.4: passwords are not for the applications of others.
			return invalid(field, "password is not for public clients of others", "use authorization_code")
		}
	}
	if c.Allows(RefreshToken) && !c.Allows(AuthorizationCode) && !c.Allows(Password) {
		return invalid("grant_types", "allows refresh_token, but nothing that gives one", "add authorization_code or password, or leave refresh_token out")
	}
	return nil
}

func validateScopes(c *Client) error {
	if len(c.Scopes) > scopesMax || len(strings.Join(c.Scopes, " ")) > scopesBytesMax {
		return invalid("scopes", "are more than 200, or longer than 2 KB together", "allow fewer")
	}
	for i, scope := range c.Scopes {
		field := fmt.Sprintf("scopes[%d]", i)
		switch {
		case !scopeToken(scope):
			return invalid(field, "is not a scope (RFC 6749 §3.3)", "use printable ASCII without blanks, quotes and backslashes")
		case scope == familyEnd:
			return invalid(field, "names no family", "write the beginning that its scopes share, as in orders"+familyEnd)
		case slices.Contains(c.Scopes[:i], scope):
			return invalid(field, "is named twice", "name it once")
		case strings.HasPrefix(scope, adminScopes) && !c.FirstParty:
			return invalid(field, "administers this server, which only a first-party client may", "leave it out")
		}
	}
	return nil
}

func validateRequiredScopes(c *Client) error {
	for i, scope := range c.RequiredScopes {
		field := fmt.Sprintf("required_scopes[%d]", i)
		switch {
		case strings.HasSuffix(scope, familyEnd):
			return invalid(field, "is a family, but people agree to scopes one by one", "name those of its scopes that are required")
		case !c.AllowsScope(scope):
			return invalid(field, "is not among the scopes", "add it to the scopes too")
		case slices.Contains(c.RequiredScopes[:i], scope):
			return invalid(field, "is named twice", "name it once")
		}
	}
	return nil
}

// scopeToken is the grammar of RFC 6749 §3.3.
func scopeToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}

func validateRedirectURIs(c *Client) error {
	switch {
	case c.Type == Service && len(c.RedirectURIs) > 0:
		return invalid("redirect_uris", "are of no use to a service", "leave them out")
	case c.Allows(AuthorizationCode) && len(c.RedirectURIs) == 0:
		return invalid("redirect_uris", "is empty", "name where codes are sent to")
	}
	return validateRedirects("redirect_uris", c.RedirectURIs)
}

// validateRedirects holds for every list of URIs to which browsers are sent.
func validateRedirects(list string, uris []string) error {
	if len(uris) > redirectURIsMax {
		return invalid(list, "are more than 20", "name fewer")
	}
	for i, uri := range uris {
		field := fmt.Sprintf("%s[%d]", list, i)
		if problem, fix := redirectProblem(uri); problem != "" {
			return invalid(field, problem, fix)
		}
		if slices.Contains(uris[:i], uri) {
			return invalid(field, "is named twice", "name it once")
		}
	}
	return nil
}

func validatePKCE(c *Client) error {
	switch {
	case c.PKCE != "" && c.PKCE != PKCEOptional:
		return invalid("pkce", "is unknown", "use optional, or leave it out for required")
	case c.PKCE == PKCEOptional && c.Type != Confidential:
		// RFC 9700 §2.1.1
		return invalid("pkce", "optional is for confidential clients", "leave it out")
	}
	return nil
}

func validateSecrets(c *Client) error {
	switch {
	case c.Type == Public && len(c.Secrets) > 0:
		return invalid("secrets", "cannot belong to a public client", "drop them, or register a confidential client")
	case c.Type != Public && len(c.Secrets) == 0:
		return invalid("secrets", "is empty, but the client must authenticate itself", "register a new client, which gets a secret")
	case len(c.Secrets) > secretLimit:
		return invalid("secrets", "are more than five", "revoke some")
	}
	for i, s := range c.Secrets {
		if s.ID == "" || len(s.Hash) != 32 {
			return invalid(fmt.Sprintf("secrets[%d]", i), "is damaged", "revoke it")
		}
	}
	return nil
}

func validateRefresh(c *Client) error {
	switch {
	case c.Rotation != "" && c.Rotation != RotateAlways && c.Rotation != RotateNever:
		return invalid("rotation", "is unknown", "use always or never, or leave it out")
	case c.Rotation == RotateNever && c.Type == Public:
		// RFC 9700 §4.14.2
		return invalid("rotation", "never is not for public clients", "leave it out")
	case c.RefreshWindow != nil && (*c.RefreshWindow < 0 || *c.RefreshWindow > windowMax):
		return invalid("refresh_window", "is not within 0 to 300 seconds", "leave it out for 30")
	}
	return nil
}
