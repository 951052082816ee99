package server

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/safeconduct/safeconduct/clients"
)

// credentials are how a caller of a protocol endpoint says who it is.
type credentials struct {
	id, secret, method string
}

// readCredentials finds the one way in which the caller authenticates itself (RFC 6749 §2.3). Two at once are refused:
// which of them counts must not be a matter of luck.
func readCredentials(r *http.Request, f form) (credentials, error) {
	header := r.Header.Values("Authorization")
	if len(header) > 1 {
		return credentials{}, invalidRequest("there are two Authorization headers")
	}
	inBody := f.get("client_secret") != ""
	if f.get("client_assertion") != "" || f.get("client_assertion_type") != "" {
		if inBody || len(header) > 0 {
			return credentials{}, twoMethods()
		}
		return credentials{}, &failure{status: http.StatusUnauthorized, code: codeInvalidClient, description: "client assertions are not supported"}
	}
	if len(header) == 0 {
		c := credentials{id: f.get("client_id"), secret: f.get("client_secret"), method: clients.None}
		if inBody {
			c.method = clients.SecretPost
		}
		if c.id == "" {
			return credentials{}, &failure{status: http.StatusUnauthorized, code: codeInvalidClient,
				description: "the client did not say who it is: send its id and secret by HTTP Basic or as client_id and client_secret"}
		}
		return c, nil
	}
	if inBody {
		return credentials{}, twoMethods()
	}
	c, ok := parseBasic(header[0])
	if !ok {
		return credentials{}, &failure{status: http.StatusUnauthorized, code: codeInvalidClient,
			description: "the Authorization header is not well-formed HTTP Basic"}
	}
	if id := f.get("client_id"); id != "" && id != c.id {
		return credentials{}, invalidRequest("client_id differs from the client in the Authorization header")
	}
	return c, nil
}

// clientOf authenticates a client by its credentials.
func (s *Server) clientOf(ctx context.Context, c credentials, network netip.Addr) (*clients.Client, error) {
	client, err := s.clients.Authenticate(ctx, clients.Presented{ID: c.id, Secret: c.secret, Method: c.method})
	if err != nil {
		s.auditClient(ctx, c.id, network, err)
		return nil, err
	}
	noteOf(ctx).clientID = client.ID
	return client, nil
}

func twoMethods() *failure {
	return invalidRequest("the client authenticates itself in two ways at once; use one")
}

// parseBasic reads id and secret, which are form-encoded before they are joined (RFC 6749 §2.3.1).
func parseBasic(header string) (credentials, bool) {
	scheme, encoded, found := strings.Cut(header, " ")
	if !found || !strings.EqualFold(scheme, "Basic") {
		return credentials{}, false
	}
	var usual [256]byte // longer than nearly all ids with their secrets: it need not be allocated
	raw, err := base64.StdEncoding.AppendDecode(usual[:0], []byte(strings.TrimLeft(encoded, " ")))
	if err != nil {
		return credentials{}, false
	}
	rawID, rawSecret, found := strings.Cut(string(raw), ":")
	if !found {
		return credentials{}, false
	}
	id, err := url.QueryUnescape(rawID)
	if err != nil || !wellFormed(id) || id == "" {
		return credentials{}, false
	}
	secret, err := url.QueryUnescape(rawSecret)
	if err != nil || !wellFormed(secret) {
		return credentials{}, false
	}
	return credentials{id: id, secret: secret, method: clients.SecretBasic}, true
}
