package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"

	"github.com/safeconduct/safeconduct/keys"
)

// scenario is one kind of request.
type scenario struct {
	name  string
	floor string // its floor, in words
	// goals are the most that it may cost, as multiples of its floor, by engine.
	goals map[string]float64
	// slowHash asks for a server with the real parameters of argon2id.
	slowHash bool
	// connections is the most that make sense; 0 is as many as there are.
	connections int
	// rate is how many requests a second are due; 0 is a closed loop.
	rate int
	// talk makes what connection i asks of a server at host; nil where only the floor is measured.
	talk func(f *fixture, host string, i int) talk
	// floorTalk is what a floor is asked; nil is the same as talk.
	floorTalk func(f *fixture, host string, i int) talk
	// once marks a scenario that uses its tokens up.
	once bool
}

// The names of scenarios that are spoken of elsewhere.
const (
	introspectName = "introspect"
	refreshName    = "refresh"
	revokeName     = "revoke"
	loginApart     = "password-apart"
	flowName       = "code-flow"
	memoryName     = "memory"
	pagesName      = "pages"
	feedName       = "feed"
	openName       = "open-loop"
	floodName      = "login-flood"
	startName      = "start"
	stoppedName    = "cluster-master-stopped"
	requireName    = "require"
)

// besides are the names of what is measured beside the scenarios.
func besides() []string {
	return []string{openName, floodName, startName, memoryName, pagesName, feedName, stoppedName, requireName}
}

// bareGin is the one floor that needs no Redis.
const bareGin = "bare Gin"

// realQueue is how many logins at once neither wait long nor are turned away: one is hashed, some wait.
const realQueue = 4

func scenarios() []scenario {
	return []scenario{
		{name: "get", floor: bareGin + " + GET", floorTalk: askBareGet},
		{name: "set-es256", floor: bareGin + " + SET + ES256", floorTalk: askBareSigned},
		{name: "metadata", floor: bareGin, talk: askMetadata, floorTalk: askHello, goals: map[string]float64{engineRedis: 1.15, engineBolt: 1.15}},
		{name: "jwks", floor: bareGin, talk: askJWKS, floorTalk: askHello, goals: map[string]float64{engineRedis: 1.15, engineBolt: 1.15}},
		{name: introspectName, floor: "Gin + GET", talk: askIntrospection, floorTalk: askFloorIntrospection, goals: map[string]float64{engineRedis: 0.80, engineBolt: 0.75}},
		{name: "introspect-garbage", floor: bareGin, talk: askGarbage, floorTalk: askHello, goals: map[string]float64{engineRedis: 1.25, engineBolt: 1.25}},
		{name: refreshName, floor: "Gin + one Lua", talk: askRefresh, floorTalk: askFloorRefresh, goals: map[string]float64{engineRedis: 1.0, engineBolt: 1.6}},
		{name: "client-credentials", floor: "Gin + SET", talk: askClientCredentials, goals: map[string]float64{engineRedis: 0.85}},
		{name: "client-credentials-jwt", floor: "Gin + SET + ES256", talk: askSignedToken, goals: map[string]float64{engineRedis: 0.95}},
		{name: revokeName, floor: "Gin + DEL", talk: askRevocation, floorTalk: askFloorRevocation, goals: map[string]float64{engineRedis: 1.1}, once: true},
		{name: loginApart, floor: "Gin + SET", talk: askLogin, floorTalk: askFloorLogin, goals: map[string]float64{engineRedis: 1.2}},
		{name: flowName, floor: flowFloor, talk: askFlow, floorTalk: alone(askFlow)},
		{name: flowName + "-es256", floor: flowFloor + " + ES256", talk: askFlowES256, floorTalk: alone(askFlowES256)},
		{name: flowName + "-rs256", floor: flowFloor + " + RS256", talk: askFlowRS256, floorTalk: alone(askFlowRS256)},
		{name: "login-page", floor: bareGin, talk: askLoginPage, goals: map[string]float64{engineRedis: 2, engineBolt: 2}},
		{name: "password", talk: askSlowLogin, slowHash: true, connections: realQueue},
	}
}

func scenarioNames() []string {
	var names []string
	for _, s := range scenarios() {
		names = append(names, s.name)
	}
	return names
}

// accepting accepts answers of status 200 that hold a mark.
func accepting(mark string) func(answer) error {
	wanted := []byte(mark)
	return func(a answer) error {
		if a.status != http.StatusOK || !bytes.Contains(a.body, wanted) {
			return unexpected(a, mark)
		}
		return nil
	}
}

// unexpected tells of a wrong answer; one of success may hold a token, so it is not shown.
func unexpected(a answer, wanted string) error {
	if a.status == http.StatusOK {
		return fmt.Errorf("answered 200 without %s", wanted)
	}
	return fmt.Errorf("answered %d %s, want %s", a.status, a.body[:min(len(a.body), 300)], wanted)
}

// repeating is the talk that asks the same thing again and again.
func repeating(request []byte, mark string) talk {
	return talk{next: func(dst []byte) ([]byte, bool) { return append(dst, request...), true }, accept: accepting(mark)}
}

func get(host, path string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: safeconduct-bench\r\nAccept: application/json\r\n\r\n")
}

func askHello(_ *fixture, host string, _ int) talk { return repeating(get(host, helloPath), "hello") }

func askMetadata(_ *fixture, host string, _ int) talk {
	return repeating(get(host, "/.well-known/oauth-authorization-server"), `"issuer"`)
}

func askJWKS(_ *fixture, host string, _ int) talk {
	return repeating(get(host, "/.well-known/jwks.json"), `"keys"`)
}

func askBareGet(_ *fixture, host string, _ int) talk {
	return repeating(get(host, barePath), `"active":true`)
}

func askBareSigned(_ *fixture, host string, _ int) talk {
	return repeating(get(host, bareSignedPath), `"access_token":"ey`)
}

func askIntrospection(f *fixture, host string, i int) talk {
	start := head(host, "/oauth/introspect", basic(f.resource.id, f.resource.secret))
	return atRandom(start, f.access, i, `"active":true`)
}

// askFloorIntrospection asks for the few tokens that a floor has: their number makes no difference to a floor.
func askFloorIntrospection(f *fixture, host string, i int) talk {
	start := head(host, "/oauth/introspect", basic(f.resource.id, f.resource.secret))
	return atRandom(start, f.floorTokens(), i, `"active":true`)
}

// atRandom is the talk that asks about one token after the other, at random.
func atRandom(start []byte, tokens []string, i int, mark string) talk {
	random := rand.New(rand.NewPCG(1, uint64(i)))
	return talk{
		next: func(dst []byte) ([]byte, bool) {
			return appendForm(dst, start, "token=", tokens[random.IntN(len(tokens))]), true
		},
		accept: accepting(mark),
	}
}

// askGarbage asks for tokens that look right in every way but were not made by this server: only arithmetic finds out.
func askGarbage(f *fixture, host string, i int) talk {
	const size, filterAt = 51, 30
	payload, ok := keys.Unspell(keys.AccessPrefix, f.access[i%len(f.access)], size)
	if !ok {
		panic("bench: the form of access tokens has changed; change askGarbage with it")
	}
	payload[filterAt] ^= 1
	start := head(host, "/oauth/introspect", basic(f.resource.id, f.resource.secret))
	return repeating(appendForm(nil, start, "token=", keys.Spell(keys.AccessPrefix, payload)), `"active":false`)
}

// askRefresh goes on with the chain of its connection, round after round.
func askRefresh(f *fixture, host string, i int) talk {
	start := head(host, "/oauth/token", "")
	return talk{
		next: func(dst []byte) ([]byte, bool) {
			return appendForm(dst, start, "grant_type=refresh_token&client_id=", f.app, "&refresh_token=", f.refresh[i]), true
		},
		accept: func(a answer) error {
			const mark = `"refresh_token":"`
			_, rest, found := bytes.Cut(a.body, []byte(mark))
			next, _, ended := bytes.Cut(rest, []byte{'"'})
			if a.status != http.StatusOK || !found || !ended || string(next) == f.refresh[i] {
				return unexpected(a, "another refresh token")
			}
			f.refresh[i] = string(next)
			return nil
		},
	}
}

// askFloorRefresh begins a chain of the floor's own kind.
func askFloorRefresh(f *fixture, host string, i int) talk {
	own := &fixture{app: f.app, refresh: make([]string, i+1)}
	own.refresh[i] = fmt.Sprintf("%022x%064x", rand.Uint64(), 0)
	return askRefresh(own, host, i)
}

func askClientCredentials(f *fixture, host string, _ int) talk {
	start := head(host, "/oauth/token", basic(f.machine.id, f.machine.secret))
	return repeating(appendForm(nil, start, "grant_type=client_credentials&scope=orders:read+orders:write+orders:cancel"), `"access_token":"sca_`)
}

func askSignedToken(f *fixture, host string, _ int) talk {
	start := head(host, "/oauth/token", basic(f.signing.id, f.signing.secret))
	return repeating(appendForm(nil, start, "grant_type=client_credentials&scope="+signedScope), `"access_token":"ey`)
}

// askRevocation revokes each token once, as long as those of the round last.
func askRevocation(f *fixture, host string, _ int) talk {
	start := head(host, "/oauth/revoke", basic(f.machine.id, f.machine.secret))
	return talk{
		next: func(dst []byte) ([]byte, bool) {
			n := f.revoked.Add(1) - 1
			if n >= f.revokedMax.Load() {
				return dst, false
			}
			return appendForm(dst, start, "token=", f.revocable[n]), true
		},
		accept: accepting("{}"),
	}
}

// askFloorRevocation deletes what mostly is not there, which costs a floor the same.
func askFloorRevocation(f *fixture, host string, i int) talk {
	start := head(host, "/oauth/revoke", basic(f.machine.id, f.machine.secret))
	return atRandom(start, f.revocable, i, "{}")
}

func askLogin(f *fixture, host string, _ int) talk { return login(f, host, f.names, &f.logins) }

func askSlowLogin(f *fixture, host string, _ int) talk {
	return login(f, host, f.slowNames, &f.slowLogins)
}

const (
	loginForm = "grant_type=password&scope=orders:read+orders:write+orders:cancel&password=correct+horse+battery+staple&username="
	loginMark = `"access_token":"sca_`
)

// login logs users in by turns, each less often than the cap of grants allows.
func login(f *fixture, host string, names []string, count *atomic.Int64) talk {
	start := head(host, "/oauth/token", basic(f.web.id, f.web.secret))
	return talk{
		next: func(dst []byte) ([]byte, bool) {
			n := int(count.Add(1)) - 1
			return appendForm(dst, start, loginForm, names[n%len(names)]), n < len(names)*(grantsEach+4)
		},
		accept: accepting(loginMark),
	}
}

func askFloorLogin(f *fixture, host string, _ int) talk {
	start := head(host, "/oauth/token", basic(f.web.id, f.web.secret))
	return repeating(appendForm(nil, start, loginForm, f.names[0]), loginMark)
}
