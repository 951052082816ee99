package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// The token endpoint and the metadata of every Safeconduct server.
const (
	tokenPath    = "/oauth/token"
	metadataPath = "/.well-known/oauth-authorization-server"
)

// Issuer asks the server for the name under which it issues tokens (RFC 8414 §3).
func (c *Client) Issuer(ctx context.Context) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+metadataPath, nil)
	if err != nil {
		return "", err
	}
	raw, err := exchange(c.http, request, c.base)
	if err != nil {
		return "", err
	}
	var metadata struct{ Issuer string }
	if err := json.Unmarshal(raw, &metadata); err != nil {
		return "", fmt.Errorf("read the metadata of the server: %w", err)
	}
	return metadata.Issuer, nil
}

// TokenRequest asks for a token by client credentials (RFC 6749 §4.4).
type TokenRequest struct {
	ClientID, ClientSecret string
	Scope, Resources       []string
	// InBody sends the credentials in the form, for clients registered for client_secret_post.
	InBody bool
}

// Issued is a token that was issued.
type Issued struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int64  `json:"expires_in"`
	Scope       string `json:"scope"`
}

// GetToken asks a server for a token. base is what CheckServer returned.
func GetToken(ctx context.Context, base string, want TokenRequest) (json.RawMessage, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(want.Scope) > 0 {
		form.Set("scope", strings.Join(want.Scope, " "))
	}
	form["resource"] = want.Resources
	if want.InBody {
		form.Set("client_id", want.ClientID)
		form.Set("client_secret", want.ClientSecret)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, base+tokenPath, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if !want.InBody {
		// RFC 6749 §2.3.1: both are form-encoded before they are joined.
		joined := url.QueryEscape(want.ClientID) + ":" + url.QueryEscape(want.ClientSecret)
		request.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(joined)))
	}
	return exchange(newClient(http.DefaultTransport, base, "").http, request, base)
}
