package server_test

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// statusReference is where the status of a signed token stands.
type statusReference struct {
	index int
	uri   string
}

func (d *deployment) statusOf(token string) statusReference {
	d.t.Helper()
	list := payload(d.t, token, 1)["status"].(obj)["status_list"].(obj)
	return statusReference{int(list["idx"].(float64)), list["uri"].(string)}
}

// status looks a signed token up as draft-ietf-oauth-status-list §8.3 says, with nothing but the token and the published
// keys: true for INVALID.
func (d *deployment) status(token string) bool {
	d.t.Helper()
	ref, issuer := d.statusOf(token), payload(d.t, token, 1)["iss"].(string)
	path, ours := strings.CutPrefix(ref.uri, issuer)
	if !ours || !strings.HasPrefix(path, "/oauth/status/") {
		d.t.Fatalf("the list is at %s", ref.uri)
	}
	a := d.send(http.MethodGet, path, "", "", "Accept", "application/statuslist+jwt")
	wantStatus(d.t, a, http.StatusOK)
	if got := a.header.Get("Content-Type"); got != "application/statuslist+jwt" {
		d.t.Fatalf("Content-Type %q", got)
	}
	if a.header.Get("Access-Control-Allow-Origin") != "*" || a.header.Get("Cache-Control") != "public, max-age=5" {
		d.t.Errorf("headers %v", a.header)
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(d.send(http.MethodGet, "/.well-known/jwks.json", "", "").text), &keys); err != nil {
		d.t.Fatal(err)
	}
	parsed, err := jose.ParseSignedCompact(a.text, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(payload(d.t, token, 0)["alg"].(string))})
	if err != nil {
		d.t.Fatal(err)
	}
	if header := parsed.Signatures[0].Protected; header.ExtraHeaders[jose.HeaderType] != "statuslist+jwt" {
		d.t.Fatalf("header %v", header)
	}
	body, err := parsed.Verify(keys.Key(parsed.Signatures[0].Protected.KeyID)[0])
	if err != nil {
		d.t.Fatal(err)
	}
	var list struct {
		Sub           string
		Iat, Exp, TTL int64
		List          struct {
			Bits int
			Lst  string
		} `json:"status_list"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		d.t.Fatal(err)
	}
	if list.Sub != ref.uri || list.Exp != list.Iat+60 || list.TTL != 5 || list.List.Bits != 1 {
		d.t.Fatalf("the list says %s", body)
	}
	packed, err := base64.RawURLEncoding.DecodeString(list.List.Lst)
	if err != nil {
		d.t.Fatal(err)
	}
	unpack, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		d.t.Fatal(err)
	}
	bits, err := io.ReadAll(unpack)
	if err != nil || ref.index >= len(bits)*8 {
		d.t.Fatalf("index %d of %d bits: %v", ref.index, len(bits)*8, err)
	}
	return bits[ref.index/8]>>(ref.index%8)&1 == 1
}

func (d *deployment) wantStatuses(what string, invalid bool, tokens ...string) {
	d.t.Helper()
	for _, token := range tokens {
		if got := d.status(token); got != invalid {
			d.t.Errorf("%s: invalid is %v, want %v", what, got, invalid)
		}
	}
}

// A revocation is in the status list when it is answered, and takes nobody else's tokens away. A grant has one place for
// all its tokens.
func TestARevocationIsInTheStatusListAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, d *deployment) {
		d.signedAPI("stock")
		app := d.client("confidential", obj{"scopes": []string{"stock:read", "stock:write"}})
		d.user("ada")
		first, refresh := d.mustLogin(app, "ada", "scope", "stock:read stock:write").tokens()
		other := d.mustLogin(app, "ada", "scope", "stock:read").str("access_token")
		narrowed := d.mustRefresh(app, refresh, "scope", "stock:read").str("access_token")
		if of := d.statusOf(first); of != d.statusOf(narrowed) || of == d.statusOf(other) {
			t.Errorf("places %v and %v of one grant, %v of another", of, d.statusOf(narrowed), d.statusOf(other))
		}
		d.wantStatuses("before", false, first, narrowed, other)
		wantStatus(t, d.revoke(app, narrowed), http.StatusOK)
		d.wantStatuses("revoked", true, first, narrowed)
		d.wantStatuses("another grant", false, other)
	})
}

// "Log out everywhere" and a new password end what a user has allowed, and nothing of anybody else.
func TestEndingAllOfAUserIsInTheStatusList(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.signedAPI("stock")
	one, two := d.client("confidential", obj{"scopes": []string{"stock:read"}}), d.app(obj{"scopes": []string{"stock:read"}})
	d.user("ada")
	d.user("bob")
	tokens := func(user string) []string {
		var all []string
		for _, app := range []client{one, one, two} {
			all = append(all, d.mustLogin(app, user, "scope", "stock:read").str("access_token"))
		}
		return all
	}
	ada, bob := tokens("ada"), tokens("bob")
	d.mustAdmin(http.MethodPost, "/users/ada/logout-everywhere", nil)
	d.wantStatuses("ada's", true, ada...)
	d.wantStatuses("bob's", false, bob...)
	d.wantStatuses("ada's next", false, d.mustLogin(one, "ada", "scope", "stock:read").str("access_token"))
	d.mustAdmin(http.MethodPatch, "/users/bob", obj{"disabled": true})
	d.wantStatuses("of bob, who is disabled", true, bob...)
}

// A client that is disabled or deleted takes all its tokens along, machines' too, though no index knows them. When it
// stands again its old tokens stay ended.
func TestTheEndOfAClientIsInTheStatusList(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.signedAPI("stock")
	issue := func(c client) string { return d.token(c, form("grant_type", "client_credentials")).str("access_token") }
	disabled, deleted, bystander := d.client("service", obj{"scopes": []string{"stock:read"}}), d.client("service", obj{"scopes": []string{"stock:read"}}), d.client("service", obj{"scopes": []string{"stock:read"}})
	a, b, c := issue(disabled), issue(deleted), issue(bystander)
	d.wantStatuses("before", false, a, b, c)
	d.mustAdmin(http.MethodPatch, "/clients/"+disabled.id, obj{"disabled": true})
	d.mustAdmin(http.MethodDelete, "/clients/"+deleted.id, nil)
	d.wantStatuses("ended", true, a, b)
	d.wantStatuses("a bystander's", false, c)
	d.mustAdmin(http.MethodPatch, "/clients/"+disabled.id, obj{"disabled": false})
	d.wantStatuses("of before it was disabled", true, a)
	d.wantStatuses("its next", false, issue(disabled))
}

// Who verifies tokens by one algorithm can verify their list by it.
func TestAStatusListIsSignedLikeItsTokens(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	for _, alg := range []string{"ES256", "RS256", "EdDSA"} {
		slug := strings.ToLower(alg)
		d.signedAPI(slug, obj{"signing_alg": alg})
		app := d.client("service", obj{"scopes": []string{slug + ":read"}})
		token := d.token(app, form("grant_type", "client_credentials")).str("access_token")
		if got := payload(t, token, 0)["alg"]; got != alg {
			t.Fatalf("signed by %v, want %s", got, alg)
		}
		d.wantStatuses("before", false, token)
		wantStatus(t, d.revoke(app, token), http.StatusOK)
		d.wantStatuses("revoked", true, token)
	}
}

// What can bite no more is told no more: an entry lapses with the longest token that it concerns.
func TestAStatusIsForgottenWhenItsTokensHaveLapsed(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.signedAPI("stock")
	app := d.client("service", obj{"scopes": []string{"stock:read"}})
	token := d.token(app, form("grant_type", "client_credentials")).str("access_token")
	wantStatus(t, d.revoke(app, token), http.StatusOK)
	end := time.Unix(int64(payload(t, token, 1)["exp"].(float64)), 0)
	d.clock.Advance(end.Sub(noon))
	d.wantStatuses("at its end", true, token)
	d.clock.Advance(2 * time.Minute)
	d.wantStatuses("long after its end", false, token)
}

// A place costs no call of the store: a machine's signed token takes the one write that an opaque one takes.
func TestAPlaceInAStatusListCostsNoWrite(t *testing.T) {
	t.Parallel()
	d, w := deployWatched(t)
	d.signedAPI("stock")
	app := d.client("service", obj{"scopes": []string{"stock:read"}})
	issue := func() { d.token(app, form("grant_type", "client_credentials")) }
	w.settled(t, issue, 0)
	for range 10 {
		if reads, writes := w.during(issue); reads != 0 || writes != 1 {
			t.Fatalf("%d reads and %d writes, want one write alone", reads, writes)
		}
	}
}

// Names that no token was given cost nothing and tell nothing, a list of another time is not kept, and only GET works.
func TestStatusListRefusals(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.signedAPI("stock")
	app := d.client("service", obj{"scopes": []string{"stock:read"}})
	token := d.token(app, form("grant_type", "client_credentials")).str("access_token")
	path := strings.TrimPrefix(d.statusOf(token).uri, d.url)
	name := path[strings.LastIndexByte(path, '/')+1:]
	flipped := path[:len(path)-1] + map[bool]string{true: "B", false: "A"}[path[len(path)-1] == 'A']
	wantStatus(t, d.send(http.MethodGet, path, "", ""), http.StatusOK)
	for what, path := range map[string]string{
		"a name that was never given": flipped,
		"half a name":                 path[:len(path)-12],
		"no name":                     "/oauth/status/ES256/",
		"no algorithm":                "/oauth/status/" + name,
		"alg none":                    "/oauth/status/none/" + name,
		"an algorithm with a secret":  "/oauth/status/HS256/" + name,
		"a very long name":            "/oauth/status/ES256/" + strings.Repeat("A", 4000),
	} {
		if a := d.send(http.MethodGet, path, "", ""); a.status != http.StatusNotFound {
			t.Errorf("%s: %d %s, want 404", what, a.status, a.text)
		}
	}
	wantError(t, d.send(http.MethodGet, path+"?time=1795399136", "", ""), http.StatusNotImplemented, "invalid_request")
	wantError(t, d.send(http.MethodPost, path, "application/json", "{}"), http.StatusMethodNotAllowed, "invalid_request")
}

// RFC 8725 §3.11: a status list is signed by our keys, and still no token.
func TestAStatusListOpensNothing(t *testing.T) {
	t.Parallel()
	s := newSignedScene(t)
	list := s.call(http.MethodGet, strings.TrimPrefix(s.statusOf(s.good.str("access_token")).uri, s.url), "")
	wantStatus(t, list, http.StatusOK)
	s.wantOpensNothing(t, "a status list", list.text)
}

// One process ends what another has issued: the list of either tells of it.
func TestStatusListsAreCompleteOnEachProcess(t *testing.T) {
	t.Parallel()
	p := deployPair(t)
	p.one.signedAPI("stock")
	app := p.one.client("service", obj{"scopes": []string{"stock:read"}})
	issue := func(d *deployment) string {
		return d.token(app, form("grant_type", "client_credentials", "scope", "stock:read")).str("access_token")
	}
	eventually(t, 5*time.Second, "both know the client and the API", func() bool { return isSigned(issue(p.one)) && isSigned(issue(p.two)) })
	balanced := &deployment{t: t, url: p.front}
	of := []string{issue(p.one), issue(p.two)}
	for i, token := range of {
		wantStatus(t, []*deployment{p.two, p.one}[i].revoke(app, token), http.StatusOK)
		for range 2 {
			balanced.wantStatuses("revoked at the other process", true, token)
		}
	}
	balanced.wantStatuses("of both", false, issue(p.one), issue(p.two))
}

// A server that cannot look at the revocations must not say that there are none.
func TestAStatusListWithoutTheStoreIsUnavailable(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.signedAPI("stock")
	app := d.client("service", obj{"scopes": []string{"stock:read"}})
	token := d.token(app, form("grant_type", "client_credentials")).str("access_token")
	d.wantStatuses("before", false, token)
	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}
	a := d.call(http.MethodGet, strings.TrimPrefix(d.statusOf(token).uri, d.url), "")
	wantError(t, a, http.StatusServiceUnavailable, "temporarily_unavailable")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}
