package resources

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/store"
)

const (
	identifierMax  = 512 // bytes; a key of the store holds it
	nameMax        = 100 // characters
	titleMax       = 200
	descriptionMax = 1000
	scopeMax       = 128 // bytes of a scope's name
	scopesMax      = 200 // per resource
	lifetimeMin    = time.Minute
)

// AccessLifetimeMax is the longest life of an access token for any resource.
const AccessLifetimeMax = time.Hour

// reservedScopes have a meaning of their own in OpenID Connect.
var reservedScopes = []string{"openid", "profile", "email", "address", "phone", "offline_access"}

// reservedNames are those of our own resources: no other may pass for one of them on a consent page.
var reservedNames = []string{"Safeconduct", "Your identity"}

// adminScopes are for the administration of Safeconduct itself.
const adminScopes = "admin:"

// familyEnd ends what stands for many scopes in the list of a client, and so must end no scope.
const familyEnd = ":*"

// validSlug reports whether slug may be a slug: lower-case letters, digits and inner hyphens, at most 64 of them. It is asked at
// each look-up, so it is no regular expression.
func validSlug(slug string) bool {
	if slug == "" || len(slug) > 64 || slug[0] == '-' || slug[len(slug)-1] == '-' {
		return false
	}
	for _, c := range []byte(slug) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// Validate returns an *InvalidError if a resource breaks a rule. No resource is stored that did not pass it.
func Validate(r *Resource) error {
	switch {
	case !validSlug(r.Slug):
		return invalid("slug", "is not made of a-z, 0-9 and inner hyphens, 64 at most", "choose another")
	case !validIdentifier(r.ID):
		return invalid("id", "is not an absolute URI without fragment (RFC 8707 §2)", "write it as https://api.example.org/orders")
	case r.Name == "":
		return invalid("name", "is empty", "give a name that users know")
	case !r.BuiltIn && slices.ContainsFunc(reservedNames, func(own string) bool { return strings.EqualFold(own, strings.TrimSpace(r.Name)) }):
		return invalid("name", "is that of one of Safeconduct's own resources", "choose another")
	case r.AccessLifetime != 0 && (r.AccessLifetime < lifetimeMin || r.AccessLifetime > AccessLifetimeMax):
		return invalid("access_lifetime", "is not within 1 to 60 minutes", "leave it out for 15 minutes")
	case r.AccessLifetime%time.Second != 0:
		return invalid("access_lifetime", "has a part of a second", "use whole seconds")
	case r.Format != "" && r.Format != FormatJWT:
		return invalid("token_format", "is unknown", "use opaque or jwt")
	case r.Alg != "" && r.Format != FormatJWT:
		return invalid("signing_alg", "is for access tokens that are signed", "leave it out, or choose the token_format jwt")
	case r.Alg != "" && !slices.Contains(keys.Algorithms(), r.Alg):
		return invalid("signing_alg", "is unknown", "use ES256, RS256 or EdDSA")
	case r.BuiltIn && len(r.Secrets) > 0:
		return invalid("secrets", "cannot belong to a built-in resource", "leave them out")
	case len(r.Secrets) > secretLimit:
		return invalid("secrets", "are more than five", "revoke some")
	case len(r.Scopes) > scopesMax:
		return invalid("scopes", "are more than 200", "define fewer")
	}
	if err := validateText("name", r.Name, nameMax); err != nil {
		return err
	}
	for i := range r.Scopes {
		if err := validateScope(r, i); err != nil {
			return err
		}
	}
	return validateImplied(r.Scopes)
}

func validateScope(r *Resource, i int) error {
	s := &r.Scopes[i]
	field := fmt.Sprintf("scopes[%d]", i)
	switch {
	case !scopeToken(s.Name):
		return invalid(field+".name", "is not a scope (RFC 6749 §3.3)", "use 1 to 128 printable ASCII characters without blanks, quotes and backslashes")
	case strings.HasSuffix(s.Name, familyEnd):
		return invalid(field+".name", "is how a family of scopes is written", "choose a name that does not end with "+familyEnd)
	case slices.ContainsFunc(r.Scopes[:i], func(other Scope) bool { return other.Name == s.Name }):
		return invalid(field+".name", "is defined twice", "define it once")
	case !r.BuiltIn && (strings.HasPrefix(s.Name, adminScopes) || slices.Contains(reservedScopes, s.Name)):
		return invalid(field+".name", "is reserved for Safeconduct's own resources", "choose another")
	}
	if err := validateText(field+".title", s.Title, titleMax); err != nil {
		return err
	}
	return validateText(field+".description", s.Description, descriptionMax)
}

func invalid(field, problem, fix string) error {
	return &InvalidError{Field: field, Problem: problem, Fix: fix}
}

// validateText refuses what could not be shown on a consent page as it is.
func validateText(field, s string, limit int) error {
	switch {
	case !utf8.ValidString(s):
		return invalid(field, "is not valid UTF-8", "send it in UTF-8")
	case utf8.RuneCountInString(s) > limit:
		return invalid(field, fmt.Sprintf("is longer than %d characters", limit), "write a shorter one")
	case strings.TrimSpace(s) != s:
		return invalid(field, "starts or ends with a blank", "leave it out")
	case strings.ContainsFunc(s, store.Unseen):
		return invalid(field, "contains a character that cannot be seen", "leave it out")
	}
	return nil
}

// scopeToken is the grammar of RFC 6749 §3.3, with a limit on the length.
func scopeToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return s != "" && len(s) <= scopeMax
}

func validIdentifier(id string) bool {
	if id == "" || len(id) > identifierMax || strings.Contains(id, "#") {
		return false
	}
	for i := range len(id) {
		if c := id[i]; c <= 0x20 || c > 0x7e || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			return false
		}
	}
	u, err := url.Parse(id)
	switch {
	case err != nil || !u.IsAbs() || u.User != nil || u.String() != id:
		return false
	case u.Scheme == "http" || u.Scheme == "https":
		return u.Host != ""
	}
	return u.Host != "" || u.Path != "" || u.Opaque != ""
}
