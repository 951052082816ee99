package api

import "time"

// The shapes below are what the command line shows of the API's answers.

// ClientRecord is a registered client.
type ClientRecord struct {
	ClientID                 string         `json:"client_id"`
	Name                     string         `json:"name"`
	Type                     string         `json:"type"`
	AuthMethod               string         `json:"auth_method"`
	GrantTypes               []string       `json:"grant_types"`
	Scopes                   []string       `json:"scopes"`
	RedirectURIs             []string       `json:"redirect_uris"`
	FirstParty               bool           `json:"first_party"`
	Disabled                 bool           `json:"disabled"`
	RequiredScopes           []string       `json:"required_scopes"`
	ClientURI                string         `json:"client_uri"`
	PostLogoutRedirectURIs   []string       `json:"post_logout_redirect_uris"`
	BackchannelLogoutURI     string         `json:"backchannel_logout_uri"`
	BackchannelLogoutSession bool           `json:"backchannel_logout_session_required"`
	IDTokenAlg               string         `json:"id_token_signed_response_alg"`
	PKCE                     string         `json:"pkce"`
	Secrets                  []SecretRecord `json:"secrets"`
	Created                  time.Time      `json:"created"`
	ClientSecret             string         `json:"client_secret"`
}

// SecretRecord names a secret. Secret is there when it was made.
type SecretRecord struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Secret  string    `json:"secret"`
}

// UserRecord is a user.
type UserRecord struct {
	ID              string    `json:"id"`
	Username        string    `json:"username"`
	Name            string    `json:"name"`
	Email           string    `json:"email"`
	EmailVerified   bool      `json:"email_verified"`
	Admin           bool      `json:"admin"`
	Disabled        bool      `json:"disabled"`
	SecondFactor    bool      `json:"second_factor"`
	Created         time.Time `json:"created"`
	PasswordChanged time.Time `json:"password_changed"`
}

// ResourceRecord is a protected resource.
type ResourceRecord struct {
	Slug           string         `json:"slug"`
	Identifier     string         `json:"identifier"`
	Name           string         `json:"name"`
	Scopes         []ScopeRecord  `json:"scopes"`
	AccessLifetime string         `json:"access_lifetime"`
	TokenFormat    string         `json:"token_format"`
	SigningAlg     string         `json:"signing_alg"`
	BuiltIn        bool           `json:"built_in"`
	Disabled       bool           `json:"disabled"`
	Secrets        []SecretRecord `json:"secrets"`
	Created        time.Time      `json:"created"`
	Secret         string         `json:"secret"`
}

// ScopeRecord is a scope of a resource.
type ScopeRecord struct {
	Name        string   `json:"name"`
	Title       string   `json:"title"`
	Description string   `json:"description"`
	Sensitive   bool     `json:"sensitive"`
	Deprecated  bool     `json:"deprecated"`
	Implies     []string `json:"implies"`
}

// GrantRecord is a grant of a user.
type GrantRecord struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	ClientID   string    `json:"client_id"`
	ClientName string    `json:"client_name"`
	Scopes     []string  `json:"scopes"`
	Audience   []string  `json:"audience"`
	Created    time.Time `json:"created"`
	Ends       time.Time `json:"ends"`
}

// KeyRecord is an API key by everything but itself. Token is the key, when it was made.
type KeyRecord struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Scopes   []string  `json:"scopes"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"`
	LastUsed time.Time `json:"last_used"`
	Token    string    `json:"token"`
}

// SigningKeyRecord is a key that signs tokens, by everything but itself.
type SigningKeyRecord struct {
	ID             string    `json:"kid"`
	Algorithm      string    `json:"alg"`
	Created        time.Time `json:"created"`
	SignsFrom      time.Time `json:"signs_from"`
	SignsUntil     time.Time `json:"signs_until"`
	PublishedUntil time.Time `json:"published_until"`
}

// TokenRecord is what a token is good for.
type TokenRecord struct {
	Active   bool     `json:"active"`
	Scope    string   `json:"scope"`
	ClientID string   `json:"client_id"`
	Username string   `json:"username"`
	Expires  int64    `json:"exp"`
	Subject  string   `json:"sub"`
	Audience []string `json:"aud"`
	Issuer   string   `json:"iss"`
}

// Page is a list.
type Page[T any] struct {
	Items []T `json:"items"`
}
