package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/server"
	"github.com/safeconduct/safeconduct/users"
)

// feedReaders is how many verifiers follow the feed, feedRevocations how many tokens are revoked meanwhile, one after the
// other, and feedGoal the time by which 99 of 100 readers must have heard of each.
const (
	feedReaders     = 1000
	feedRevocations = 100
	feedGoal        = time.Second
	feedWithin      = time.Minute
)

// heard is how long it took from the answer to a revocation until the readers of the feed knew of it.
type heard struct{ median, p99, slowest time.Duration }

// measureFeed revokes signed tokens while many verifiers follow the feed of one server. Readers and server share this
// process, so what is measured is no better than it is.
func measureFeed(ctx context.Context, engine, place string) (heard, error) {
	ctx, cancel := context.WithTimeout(ctx, feedWithin)
	defer cancel()
	s, err := openStore(ctx, engine, place)
	if err != nil {
		return heard{}, err
	}
	defer s.Close()
	ring, err := keys.NewRing(keys.NewSecret())
	if err != nil {
		return heard{}, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return heard{}, err
	}
	issuer := "http://" + listener.Addr().String()
	srv, err := server.New(ctx, server.Config{Issuer: issuer, Store: s, Keys: ring, Log: slog.New(slog.DiscardHandler), Hasher: users.NewHasher(cheapHash, 0, 0)})
	if err != nil {
		return heard{}, err
	}
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(serving, listener, nil) }()
	defer func() { stop(); <-ended }()
	f := &feedRun{issuer: issuer, arrived: make(map[string][]time.Duration), revoked: make(map[string]time.Time)}
	f.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
	if err := f.register(srv.LocalHandler()); err != nil {
		return heard{}, err
	}
	return f.measure(ctx)
}

// feedRun is one measurement of the feed.
type feedRun struct {
	issuer       string
	http         *http.Client
	api, machine credential
	mu           sync.Mutex
	revoked      map[string]time.Time       // by grant: when the answer to the revocation came
	arrived      map[string][]time.Duration // by grant: what each reader waited
	pending      sync.WaitGroup
	earlyArrival map[string][]time.Time
}

func (f *feedRun) register(operator http.Handler) error {
	call := func(path string, in any) (map[string]any, error) {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		r := httptest.NewRequest(http.MethodPost, "/api/v1"+path, bytes.NewReader(text))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		operator.ServeHTTP(w, r)
		if w.Code != http.StatusCreated {
			return nil, fmt.Errorf("POST %s: %d %s", path, w.Code, w.Body)
		}
		var out map[string]any
		return out, json.Unmarshal(w.Body.Bytes(), &out)
	}
	resource, err := call("/resources", map[string]any{
		"slug": "stock", "identifier": "https://stock.example", "name": "Stock", "token_format": "jwt", "scopes": []map[string]string{{"name": "stock:read"}},
	})
	if err != nil {
		return err
	}
	client, err := call("/clients", map[string]any{
		"client_id": "robot", "name": "Robot", "type": "service", "grant_types": []string{"client_credentials"}, "scopes": []string{"stock:read"},
	})
	if err != nil {
		return err
	}
	f.api, f.machine = credential{"stock", resource["secret"].(string)}, credential{"robot", client["client_secret"].(string)}
	f.earlyArrival = make(map[string][]time.Time)
	return nil
}

func (f *feedRun) measure(ctx context.Context) (heard, error) {
	// 1. The readers, each on its own connection.
	reading, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, feedReaders)
	var ready sync.WaitGroup
	ready.Add(feedReaders)
	for range feedReaders {
		go func() { failed <- f.follow(reading, &ready) }()
	}
	connected := make(chan struct{})
	go func() { ready.Wait(); close(connected) }()
	select {
	case <-connected:
	case err := <-failed:
		return heard{}, err
	}
	// 2. The revocations.
	for range feedRevocations {
		if err := f.revokeOne(ctx); err != nil {
			return heard{}, err
		}
	}
	// 3. Everybody has heard of all of them.
	all := make(chan struct{})
	go func() { f.pending.Wait(); close(all) }()
	select {
	case <-all:
	case err := <-failed:
		return heard{}, err
	case <-ctx.Done():
		return heard{}, fmt.Errorf("not everybody heard of every revocation: %w", ctx.Err())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var waits []time.Duration
	for _, list := range f.arrived {
		waits = append(waits, list...)
	}
	slices.Sort(waits)
	return heard{waits[len(waits)/2], waits[len(waits)*99/100], waits[len(waits)-1]}, nil
}

func (f *feedRun) revokeOne(ctx context.Context) error {
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	body, err := f.post(ctx, "/oauth/token", url.Values{"grant_type": {"client_credentials"}})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, &tokens); err != nil {
		return err
	}
	claims, err := readClaims(tokens.AccessToken)
	if err != nil {
		return err
	}
	f.pending.Add(feedReaders)
	if _, err := f.post(ctx, "/oauth/revoke", url.Values{"token": {tokens.AccessToken}}); err != nil {
		return err
	}
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.revoked[claims.Grant] = now
	for range f.earlyArrival[claims.Grant] { // who heard of it before the answer had come waited for nothing
		f.arrived[claims.Grant] = append(f.arrived[claims.Grant], 0)
	}
	return nil
}

type grantClaim struct {
	Grant string `json:"sc_grant"`
}

func readClaims(token string) (grantClaim, error) {
	var claims grantClaim
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims, fmt.Errorf("the token is not signed")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return claims, err
	}
	return claims, json.Unmarshal(raw, &claims)
}

func (f *feedRun) post(ctx context.Context, path string, values url.Values) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, f.issuer+path, strings.NewReader(values.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(f.machine.id, f.machine.secret)
	response, err := f.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(response.Body); err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("POST %s answered %d", path, response.StatusCode)
	}
	return body.Bytes(), nil
}

// follow reads the stream of events until ctx ends.
func (f *feedRun) follow(ctx context.Context, ready *sync.WaitGroup) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.issuer+"/oauth/revocations", nil)
	if err != nil {
		return err
	}
	r.SetBasicAuth(f.api.id, f.api.secret)
	r.Header.Set("Accept", "text/event-stream")
	response, err := f.http.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the feed answered %d", response.StatusCode)
	}
	waiting := true
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		data, is := strings.CutPrefix(lines.Text(), "data: ")
		if !is {
			continue
		}
		now := time.Now()
		if waiting {
			waiting = false
			ready.Done() // the snapshot
		}
		for _, part := range strings.Split(data, `"grant":"`)[1:] {
			f.note(part[:36], now)
		}
	}
	return ctx.Err()
}

func (f *feedRun) note(grant string, now time.Time) {
	f.mu.Lock()
	if answered, known := f.revoked[grant]; known {
		f.arrived[grant] = append(f.arrived[grant], now.Sub(answered))
	} else {
		f.earlyArrival[grant] = append(f.earlyArrival[grant], now)
	}
	f.mu.Unlock()
	f.pending.Done()
}

// measureFeeds measures the feed on every engine.
func (b *bench) measureFeeds(ctx context.Context) (map[string]heard, error) {
	found := make(map[string]heard)
	for _, engine := range b.engines {
		place := filepath.Join(b.dir, "feed", "data.db")
		if engine == engineRedis {
			place = strings.TrimSuffix(b.redis.url, "/0") + "/9" // a database of its own
		}
		b.note("feed: %d readers, %s", feedReaders, engine)
		h, err := measureFeed(ctx, engine, place)
		if err != nil {
			return nil, fmt.Errorf("measure the feed on %s: %w", engine, err)
		}
		found[engine] = h
	}
	return found, nil
}
