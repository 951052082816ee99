package keys

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// ErrNotOurs says that a token was not signed by this server, or not as what it is presented for.
var ErrNotOurs = errors.New("keys: not signed by this server")

// tokenMax is far more than anything that is signed; what is longer is not even decoded.
const tokenMax = 16 << 10

// signatureAlgorithms are those that a token may name at all.
func signatureAlgorithms() []jose.SignatureAlgorithm {
	var all []jose.SignatureAlgorithm
	for _, algorithm := range Algorithms() {
		all = append(all, jose.SignatureAlgorithm(algorithm))
	}
	return all
}

// joseHeader is the header of everything that is signed.
type joseHeader struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	Type      string `json:"typ,omitempty"`
}

// Signer signs with the keys as they were when it was made. It asks nobody for anything, so who has one knows before an
// act that cannot be undone that its answer can be signed.
type Signer struct {
	signing *Signing
	set     *keySet
}

// Signer returns a signer with the present keys. Use it at once: keys follow each other.
func (s *Signing) Signer(ctx context.Context) (*Signer, error) {
	set, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	return &Signer{s, set}, nil
}

// Sign is Signer.Sign with the present keys.
func (s *Signing) Sign(ctx context.Context, algorithm, typ string, claims any) (string, error) {
	signer, err := s.Signer(ctx)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return signer.Sign(algorithm, typ, claims)
}

// Sign returns claims as JSON, signed with the current key of an algorithm, in the compact form (RFC 7515 §7.1). The
// type tells one kind of token from another (RFC 8725 §3.11); an empty one is left out. The same claims signed with the
// same key give the same token.
func (s *Signer) Sign(algorithm, typ string, claims any) (string, error) {
	if !slices.Contains(s.signing.algorithms, algorithm) {
		return "", fmt.Errorf("sign: the algorithm %q is not in use", algorithm)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("sign: encode the claims: %w", err)
	}
	i := s.signing.signer(s.set.stages, algorithm, s.signing.store.Now())
	if i < 0 {
		return "", fmt.Errorf("sign: there is no key for %s", algorithm)
	}
	header, err := json.Marshal(joseHeader{algorithm, s.set.stages[i].ID, typ})
	if err != nil {
		return "", fmt.Errorf("sign: encode the header: %w", err)
	}
	token := base64.RawURLEncoding.AppendEncode(nil, header)
	token = append(token, '.')
	token = base64.RawURLEncoding.AppendEncode(token, payload)
	signed, err := signature(s.set.private[i], token)
	if err != nil {
		return "", fmt.Errorf("sign with key %s: %w", s.set.stages[i].ID, err)
	}
	token = append(token, '.')
	return string(base64.RawURLEncoding.AppendEncode(token, signed)), nil
}

// Verify returns the payload of a token that this server signed, with a key that is still published, as one of the given
// types; the type "" stands for a token without one, or with "JWT", and is meant when none is given. Everything else is
// ErrNotOurs. Other errors say that the keys could not be read. The claims are the caller's to judge, the expiry too.
func (s *Signing) Verify(ctx context.Context, token string, typ ...string) (payload []byte, err error) {
	if len(token) > tokenMax || !spelledStrictly(token) {
		return nil, ErrNotOurs
	}
	parsed, err := jose.ParseSignedCompact(token, signatureAlgorithms())
	if err != nil {
		return nil, ErrNotOurs
	}
	header := parsed.Signatures[0].Protected
	if !accepts(typ, header) {
		return nil, ErrNotOurs
	}
	set, err := s.current(ctx)
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	i := set.find(header.KeyID, s.store.Now())
	// RFC 8725 §3.1: a key is good for its own algorithm only, whatever the token says. Keys that the token brings along
	// or points to are not looked at.
	if i < 0 || header.Algorithm != set.stages[i].Algorithm {
		return nil, ErrNotOurs
	}
	if payload, err = parsed.Verify(set.private[i].Public()); err != nil {
		return nil, ErrNotOurs
	}
	return payload, nil
}

// accepts reports whether the header has one of the types and asks for nothing unusual.
func accepts(typ []string, header jose.Header) bool {
	// Nothing that is signed here has extensions (RFC 7515 §4.1.11) or a raw payload (RFC 7797).
	for _, name := range []jose.HeaderKey{"crit", "b64"} {
		if _, there := header.ExtraHeaders[name]; there {
			return false
		}
	}
	got := ""
	if value, there := header.ExtraHeaders[jose.HeaderType]; there {
		var is bool
		if got, is = value.(string); !is || got == "" {
			return false
		}
	}
	if got == "JWT" {
		got = ""
	}
	if len(typ) == 0 {
		return got == ""
	}
	return slices.Contains(typ, got)
}

// spelledStrictly reports whether the parts of a token are base64url without padding, line breaks or stray bits: the
// library would read them over.
func spelledStrictly(token string) bool {
	if strings.ContainsAny(token, "\r\n") {
		return false
	}
	for part := range strings.SplitSeq(token, ".") {
		if _, err := strictBase64.DecodeString(part); err != nil {
			return false
		}
	}
	return true
}
