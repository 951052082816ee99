package server_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"
)

// feedEvent is an event of the stream; a ping has no name.
type feedEvent struct{ name, id, data string }

// follow opens the stream of an API. What comes is sent to the channel, which is closed when the stream ends.
func (d *deployment) follow(api client, path string, headers ...string) <-chan feedEvent {
	d.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	d.t.Cleanup(cancel)
	r := d.request(http.MethodGet, path, "", "").WithContext(ctx)
	r.SetBasicAuth(api.id, api.secret)
	r.Header.Set("Accept", "text/event-stream")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		d.t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" || response.Header.Get("Cache-Control") != "no-store" {
		d.t.Fatalf("stream: %d %v", response.StatusCode, response.Header)
	}
	events := make(chan feedEvent, 100)
	go func() {
		defer response.Body.Close()
		defer close(events)
		var e feedEvent
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "event":
				e.name = value
			case "id":
				e.id = value
			case "data":
				e.data = value
			case "":
				if value != "" || e.name != "" {
					events <- e
				}
				e = feedEvent{}
			}
		}
	}()
	return events
}

// next is the next event that is no ping.
func next(t testing.TB, events <-chan feedEvent, within time.Duration) feedEvent {
	t.Helper()
	timeout := time.After(within)
	for {
		select {
		case e, open := <-events:
			if !open {
				t.Fatal("the stream has ended")
			}
			if e.name != "" {
				return e
			}
		case <-timeout:
			t.Fatalf("nothing came within %v", within)
		}
	}
}

const revocations = "/oauth/revocations"

// What an entry can take away has expired when it lapses; then it is forgotten, in the answer and in the stream.
func TestEntriesOfTheFeedLapse(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	api := d.signedAPI("stock")
	c := d.client("service", obj{"scopes": []string{"stock:read"}})
	revoke := func() string {
		token := d.token(c, form("grant_type", "client_credentials")).str("access_token")
		wantStatus(t, d.revoke(c, token), http.StatusOK)
		return token
	}
	first := revoke()
	d.clock.Advance(5 * time.Minute)
	second := revoke()
	d.clock.Advance(5*time.Minute + 59*time.Second)
	if d.revokedBy(api, first) != 1 || d.revokedBy(api, second) != 1 {
		t.Errorf("a minute after the first token expired the feed has %v", d.entries(api))
	}
	d.clock.Advance(time.Second)
	if d.revokedBy(api, first) != 0 || d.revokedBy(api, second) != 1 {
		t.Errorf("when the first entry has lapsed the feed has %v", d.entries(api))
	}
	d.clock.Advance(5 * time.Minute)
	if told := d.told(api); told != `{"cursor":"","entries":[]}` {
		t.Errorf("when all have lapsed the feed is %s", told)
	}
	if e := next(t, d.follow(api, revocations), 10*time.Second); e.name != "snapshot" || e.data != `{"cursor":"","entries":[]}` {
		t.Errorf("the stream begins with %v", e)
	}
}

// RFC 9110 §13.1.2: who has the feed already is told so, until there is something new.
func TestFeedHasAnEntityTag(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	api := d.signedAPI("stock")
	c := d.client("service", obj{"scopes": []string{"stock:read"}})
	ask := func(tag string) answer {
		return d.send(http.MethodGet, revocations, "", "", "Authorization", basic(api.id, api.secret), "If-None-Match", tag)
	}
	tags := map[string]bool{}
	for range 3 {
		all := ask(`"another"`)
		wantStatus(t, all, http.StatusOK)
		tag := all.header.Get("ETag")
		if tags[tag] || tag == "" || all.header.Get("Cache-Control") != "no-store" {
			t.Errorf("headers %v after %v", all.header, tags)
		}
		tags[tag] = true
		for range 2 {
			if same := ask(tag); same.status != http.StatusNotModified || same.text != "" || same.header.Get("ETag") != tag {
				t.Errorf("asked again: %d %q %v", same.status, same.text, same.header)
			}
		}
		d.revoke(c, d.token(c, form("grant_type", "client_credentials")).str("access_token"))
		if fresh := ask(tag); fresh.status != http.StatusOK || len(fresh.text) == 0 {
			t.Errorf("after a revocation: %d", fresh.status)
		}
	}
	// The tag proves nothing.
	wantError(t, d.send(http.MethodGet, revocations, "", "", "If-None-Match", ask("").header.Get("ETag")), http.StatusUnauthorized, "invalid_client")
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		wantError(t, d.send(method, revocations, "", "", "Authorization", basic(api.id, api.secret)), http.StatusMethodNotAllowed, "invalid_request")
	}
	wantError(t, d.send(http.MethodGet, revocations, "", "", "Authorization", basic(c.id, c.secret)), http.StatusUnauthorized, "invalid_client")
}

// HTML Standard §9.2.3: a reader that comes back gets what it missed; one whose place nobody knows gets everything.
func TestStreamResumesWhereItsCursorStands(t *testing.T) {
	t.Parallel()
	d, elsewhere := deployBolt(t), deployBolt(t)
	api := d.signedAPI("stock")
	c := d.client("service", obj{"scopes": []string{"stock:read"}})
	revoke := func(d *deployment, c client) string {
		token := d.token(c, form("grant_type", "client_credentials")).str("access_token")
		wantStatus(t, d.revoke(c, token), http.StatusOK)
		return grantOf(t, token)
	}
	revoke(d, c)
	snapshot := next(t, d.follow(api, revocations), 10*time.Second)
	second, third := revoke(d, c), revoke(d, c)
	for how, events := range map[string]<-chan feedEvent{
		"by the header": d.follow(api, revocations, "Last-Event-ID", snapshot.id), "by the query": d.follow(api, revocations+"?cursor="+snapshot.id),
	} {
		for _, grant := range []string{second, third} {
			if e := next(t, events, 10*time.Second); e.name != "revocation" || !strings.Contains(e.data, grant) || e.id == snapshot.id {
				t.Errorf("%s: %v, want the revocation of %s", how, e, grant)
			}
		}
	}
	theirs := elsewhere.signedAPI("stock")
	there := elsewhere.client("service", obj{"scopes": []string{"stock:read"}})
	for range 3 {
		revoke(elsewhere, there)
	}
	ofAnother := next(t, elsewhere.follow(theirs, revocations), 10*time.Second).id
	raw, err := base64.RawURLEncoding.DecodeString(snapshot.id)
	if err != nil {
		t.Fatal(err)
	}
	ahead := append([]byte{0xff}, raw[1:]...)
	for what, cursor := range map[string]string{
		"none": "", "garbage": "x", "of no alphabet": "!!!!", "too short": snapshot.id[:10], "too long": snapshot.id + snapshot.id, "of 8 KB": strings.Repeat("A", 8<<10),
		"with padding": snapshot.id + "==", "of another log": ofAnother, "ahead of the log": base64.RawURLEncoding.EncodeToString(ahead), "zero": "AAAAAAAAAAAAAAAAAAAAAA", "a path": "../../x",
	} {
		if e := next(t, d.follow(api, revocations, "Last-Event-ID", cursor), 10*time.Second); e.name != "snapshot" || strings.Count(e.data, `"grant"`) != 3 {
			t.Errorf("a cursor that is %s: %v, want everything", what, e)
		}
	}
}

// While nobody knows what was revoked, nothing is said that could be taken for good news: the answer is 503, and a stream
// ends without one more sign of life, so that who verifies by itself stops to believe.
func TestFeedFallsSilentWithTheStore(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	api := d.signedAPI("stock")
	events := d.follow(api, revocations)
	next(t, events, 10*time.Second)
	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}
	d.clock.Advance(time.Minute)
	for range 2 {
		a := d.send(http.MethodGet, revocations, "", "", "Authorization", basic(api.id, api.secret))
		wantError(t, a, http.StatusServiceUnavailable, "temporarily_unavailable")
		if a.header.Get("Retry-After") == "" || a.header.Get("ETag") != "" {
			t.Errorf("headers %v", a.header)
		}
		a = d.send(http.MethodGet, revocations, "", "", "Authorization", basic(api.id, api.secret), "Accept", "text/event-stream")
		wantError(t, a, http.StatusServiceUnavailable, "temporarily_unavailable")
	}
	timeout := time.After(30 * time.Second)
	for {
		select {
		case e, open := <-events:
			if !open {
				return
			}
			t.Errorf("the stream says %q", e)
		case <-timeout:
			t.Fatal("the stream does not end")
		}
	}
}

// What one server revokes is in the streams of the other within a second.
func TestServersTellOfEachOthersRevocations(t *testing.T) {
	t.Parallel()
	p := deployPair(t)
	api := p.one.signedAPI("stock")
	c := p.one.client("service", obj{"scopes": []string{"stock:read"}})
	eventually(t, 10*time.Second, "the other server knows the API and the client", func() bool {
		asked := p.two.send(http.MethodGet, revocations, "", "", "Authorization", basic(api.id, api.secret))
		return asked.status == http.StatusOK && p.two.token(c, form("grant_type", "client_credentials")).status == http.StatusOK
	})
	streams := map[*deployment]<-chan feedEvent{p.one: p.one.follow(api, revocations), p.two: p.two.follow(api, revocations)}
	for _, events := range streams {
		next(t, events, 10*time.Second)
	}
	for i := range 6 {
		by := []*deployment{p.one, p.two}[i%2]
		token := by.token(c, form("grant_type", "client_credentials")).str("access_token")
		wantStatus(t, by.revoke(c, token), http.StatusOK)
		for at, events := range streams {
			if e := next(t, events, time.Second); !strings.Contains(e.data, grantOf(t, token)) {
				t.Errorf("revocation %d at %s: %v", i, at.url, e)
			}
		}
	}
}
