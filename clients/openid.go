package clients

import (
	"slices"
	"strings"

	"github.com/safeconduct/safeconduct/keys"
)

// IDTokenAlgorithm is the JWS algorithm of the client's ID tokens. OIDC Registration §2: RS256 unless it registered
// another.
func (c *Client) IDTokenAlgorithm() string {
	if c.IDTokenAlg == "" {
		return keys.RS256
	}
	return c.IDTokenAlg
}

// AllowsPostLogout reports whether the client registered uri, byte for byte, as a place to send a browser to after it
// was logged out.
func (c *Client) AllowsPostLogout(uri string) bool {
	return slices.Contains(c.PostLogoutRedirectURIs, uri)
}

// validateForUsers keeps what is about users away from clients that have none.
func validateForUsers(c *Client) error {
	if c.Type != Service {
		return nil
	}
	field := ""
	switch {
	case len(c.RequiredScopes) > 0:
		field = "required_scopes"
	case c.ClientURI != "":
		field = "client_uri"
	case len(c.PostLogoutRedirectURIs) > 0:
		field = "post_logout_redirect_uris"
	case c.BackchannelLogoutURI != "":
		field = "backchannel_logout_uri"
	case c.BackchannelLogoutSession:
		field = "backchannel_logout_session_required"
	case c.IDTokenAlg != "":
		field = "id_token_signed_response_alg"
	default:
		return nil
	}
	return invalid(field, "is of no use to a service", "leave it out")
}

func validateHomePage(c *Client) error {
	if c.ClientURI == "" {
		return nil
	}
	if problem, fix := webProblem(c.ClientURI); problem != "" {
		return invalid("client_uri", problem, fix)
	}
	return nil
}

func validateLogout(c *Client) error {
	if err := validateRedirects("post_logout_redirect_uris", c.PostLogoutRedirectURIs); err != nil {
		return err
	}
	if c.BackchannelLogoutURI == "" {
		return nil
	}
	if problem, fix := webProblem(c.BackchannelLogoutURI); problem != "" {
		return invalid("backchannel_logout_uri", problem, fix)
	}
	return nil
}

func validateIDTokens(c *Client) error {
	if c.IDTokenAlg != "" && !slices.Contains(keys.Algorithms(), c.IDTokenAlg) {
		return invalid("id_token_signed_response_alg", "is not offered", "use RS256, ES256 or EdDSA, or leave it out for RS256")
	}
	return nil
}

// webProblem says what forbids an address that a browser or this server goes to, or nothing: the rules of redirect
// URIs without the schemes of applications. What it has in its query is its own affair.
func webProblem(uri string) (problem, fix string) {
	for _, rule := range []func(string) (string, string){redirectSyntax, webScheme, redirectScheme, redirectPath} {
		if problem, fix := rule(uri); problem != "" {
			return problem, fix
		}
	}
	return "", ""
}

func webScheme(uri string) (problem, fix string) {
	if !strings.HasPrefix(uri, "https://") && !strings.HasPrefix(uri, "http://") {
		return "is not an https address", "write the whole address, starting with https://"
	}
	return "", ""
}
