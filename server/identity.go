package server

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/users"
)

// The scopes of OpenID Connect (Core §3.1.2.1, §5.4, §11).
const (
	scopeOpenID  = "openid"
	scopeProfile = "profile"
	scopeEmail   = "email"
	scopeOffline = "offline_access"
)

const identitySlug = "identity"

// acrPassword is the authentication context class of a login by password alone (OpenID Connect Core §2). It claims no
// level of any framework.
const acrPassword = "urn:safeconduct:acr:password"

// identityDefinition is the userinfo endpoint as a protected resource like any other.
func identityDefinition(issuer string) resources.Definition {
	return resources.Definition{
		ID: issuer + userinfoPath, Slug: identitySlug, Name: "Your identity",
		Scopes: []resources.Scope{
			{Name: scopeOpenID, Title: "Know who you are", Description: "A number that stands for you at this app and elsewhere."},
			{Name: scopeProfile, Title: "See your name", Description: "Your name and username."},
			{Name: scopeEmail, Title: "See your email address", Description: "Your email address, and whether it was verified."},
			{Name: scopeOffline, Title: "Keep access while you are away", Description: "Until you remove it, or the app has not used it for a while."},
		},
	}
}

// claims are what a user is to an app (OpenID Connect Core §5.1).
type claims struct {
	Subject           string `json:"sub"`
	Name              string `json:"name,omitempty"`
	PreferredUsername string `json:"preferred_username,omitempty"`
	UpdatedAt         int64  `json:"updated_at,omitempty"`
	Email             string `json:"email,omitempty"`
	EmailVerified     *bool  `json:"email_verified,omitempty"`
}

// claimsOf are the claims that scopes give about a user (OpenID Connect Core §5.4).
func claimsOf(user *users.User, has func(scope string) bool) claims {
	out := claims{Subject: user.ID.String()}
	if has(scopeProfile) {
		out.Name, out.PreferredUsername, out.UpdatedAt = user.Name, user.Username, user.Updated.Unix()
	}
	if has(scopeEmail) && user.Email != "" {
		verified := user.EmailVerified
		out.Email, out.EmailVerified = user.Email, &verified
	}
	return out
}

// idToken says to a client who has logged in, how and when (OpenID Connect Core §2). It has one audience, so azp has
// nothing to add.
type idToken struct {
	Issuer   string   `json:"iss"`
	Audience string   `json:"aud"`
	Expires  int64    `json:"exp"`
	Issued   int64    `json:"iat"`
	AuthTime int64    `json:"auth_time"`
	Nonce    string   `json:"nonce,omitempty"`
	ACR      string   `json:"acr,omitempty"`
	AMR      []string `json:"amr,omitempty"`
	AtHash   string   `json:"at_hash"`
	Session  string   `json:"sid,omitempty"`
	claims
}

// codeNote is what a code's grant remembers of the request until it is redeemed. The nonce is kept as bytes: as text in
// JSON it could take six times its length, and the note has a limit.
type codeNote struct {
	Nonce []byte `json:"nonce,omitempty"`
}

// signIDToken makes the ID token that goes with tokens, or none if openid was not granted.
//
// By now a code is spent, so nothing here asks the store: the user was read for the checks, the keys before.
func (s *Server) signIDToken(catalogue *resources.Catalogue, call *tokenCall, tokens grants.Tokens) (string, error) {
	client, user := call.client, call.owner
	openID, resource, known := catalogue.Scope(scopeOpenID)
	if !known || !isIdentity(resource) || !slices.Contains(tokens.Granted, openID.Number) || !client.AllowsScope(scopeOpenID) || user == nil || user.ID != tokens.Grant.User {
		return "", nil
	}
	var note codeNote
	if len(tokens.Note) > 0 {
		if err := json.Unmarshal(tokens.Note, &note); err != nil {
			return "", fmt.Errorf("decode the note of a code: %w", err)
		}
	}
	granted := namesOf(catalogue, tokens.Granted)
	now := s.store.Now()
	alg := client.IDTokenAlgorithm()
	t := idToken{
		Issuer: s.issuer, Audience: client.ID, Expires: now.Add(s.lifetimes.IDToken).Unix(), Issued: now.Unix(),
		AuthTime: tokens.Grant.AuthTime.Unix(), Nonce: string(note.Nonce), AtHash: accessTokenHash(alg, tokens.Access),
		claims: claimsOf(user, func(scope string) bool { return granted[scope] && client.AllowsScope(scope) }),
	}
	if tokens.Grant.Method == grants.MethodPassword {
		t.ACR, t.AMR = acrPassword, []string{"pwd"}
	}
	if tokens.Grant.Session != uuid.Nil {
		t.Session = tokens.Grant.Session.String()
	}
	return call.signer.Sign(alg, "", t)
}

// accessTokenHash binds an access token to the ID token beside it (OpenID Connect Core §3.1.3.6): the left half of the
// hash that the signature algorithm uses.
func accessTokenHash(alg, token string) string {
	if alg == keys.EdDSA {
		sum := sha512.Sum512([]byte(token))
		return base64.RawURLEncoding.EncodeToString(sum[:sha512.Size/2])
	}
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:sha256.Size/2])
}

// errNotOurIDToken is the answer to whatever is not an ID token that this server signed.
var errNotOurIDToken = errors.New("not an ID token of this server")

// readIDToken reads an ID token that was issued before. It may have expired: it says whom an app knows, and proves
// nothing else (OpenID Connect Core §3.1.2.1, RP-Initiated Logout §4).
func (s *Server) readIDToken(ctx context.Context, text string) (*idToken, error) {
	payload, err := s.signing.Verify(ctx, text, "")
	if errors.Is(err, keys.ErrNotOurs) {
		return nil, errNotOurIDToken
	}
	if err != nil {
		return nil, err
	}
	var t idToken
	if err := json.Unmarshal(payload, &t); err != nil || t.Issuer != s.issuer || t.Subject == "" || t.Audience == "" || t.AtHash == "" {
		return nil, errNotOurIDToken
	}
	return &t, nil
}
