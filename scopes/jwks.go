package scopes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultKeysAge = 5 * time.Minute
	leastKeysAge   = 30 * time.Second
	mostKeysAge    = time.Hour // a key that was withdrawn must not live on for long
	// searchCoolDown is the time between two fetches for the sake of keys that are not known: names of keys come from
	// strangers.
	searchCoolDown = 30 * time.Second
	// retryPause is the time between a fetch that failed and the next.
	retryPause = time.Second
)

// keySource gives the keys of the issuer. It fetches them when they are needed, shares each fetch between all that wait
// for it, and goes on with the keys that it has while the issuer cannot be reached.
type keySource struct {
	url        string
	client     *http.Client
	timeout    time.Duration // of a fetch
	keep       time.Duration // how long keys are used that could not be fetched again
	clock      func() time.Time
	background *background
	set        atomic.Pointer[keySet] // nil before the first fetch

	mu       sync.Mutex
	fetching chan struct{} // closed when the fetch under way has ended; nil when there is none
	searched time.Time     // when the last fetch for an unknown key began
	failed   time.Time     // when the last fetch failed
	failure  error         // of the last fetch; nil when it succeeded
}

// find returns the key of the given name. It wraps ErrInactive when the issuer has no such key, and ErrUnavailable when
// that cannot be found out.
func (s *keySource) find(ctx context.Context, id string, now time.Time) (*publicKey, error) {
	key, age := s.known(id, now)
	switch {
	case key != nil && age == fresh:
		return key, nil
	case key != nil:
		wait := s.refresh(now)
		if age == stale {
			return key, nil
		}
		// Much older than it should be, and not because the issuer was away: nobody has asked for a while.
		return s.after(ctx, wait, id, now)
	}
	return s.after(ctx, s.search(now, age), id, now)
}

type keysAge int

const (
	fresh   keysAge = iota
	stale           // to be fetched again, meanwhile good
	overdue         // to be fetched again before they are used
	useless         // there are none, or they are too old
)

// known returns the key of the given name, if it is known, and how far the keys can be relied on.
func (s *keySource) known(id string, now time.Time) (*publicKey, keysAge) {
	set := s.set.Load()
	if set == nil {
		return nil, useless
	}
	switch age := now.Sub(set.fetched); {
	case age > s.keep:
		return nil, useless
	case age < set.maxAge:
		return set.keys[id], fresh
	case age < 2*set.maxAge || s.lastFailure() != nil:
		return set.keys[id], stale
	}
	return set.keys[id], overdue
}

func (s *keySource) lastFailure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

// refresh starts a fetch, unless one is under way or has just failed. It returns what to wait for, if anything.
func (s *keySource) refresh(now time.Time) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fetching != nil {
		return s.fetching
	}
	if s.failure != nil && now.Sub(s.failed) < retryPause {
		return nil
	}
	return s.begin()
}

// search starts a fetch for a key that is not known, if it is time for one.
func (s *keySource) search(now time.Time, age keysAge) <-chan struct{} {
	if age == useless {
		return s.refresh(now)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fetching != nil {
		return s.fetching
	}
	if now.Sub(s.searched) < searchCoolDown {
		return nil
	}
	s.searched = now
	return s.begin()
}

// begin starts a fetch. The caller holds the lock.
func (s *keySource) begin() <-chan struct{} {
	done := make(chan struct{})
	started := s.background.start(func(ctx context.Context) {
		// It ends with the Verifier, not with the request that needed it first: others wait for it too.
		set, err := s.fetch(ctx)
		s.mu.Lock()
		defer s.mu.Unlock()
		if err != nil {
			s.failed = s.clock()
		} else {
			s.set.Store(set)
		}
		s.failure, s.fetching = err, nil
		close(done)
	})
	if !started {
		return nil
	}
	s.fetching = done
	return done
}

// after waits for a fetch, if there is one to wait for, and looks the key up then.
func (s *keySource) after(ctx context.Context, fetched <-chan struct{}, id string, now time.Time) (*publicKey, error) {
	if fetched != nil {
		select {
		case <-fetched:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w while its key was fetched", ErrUnavailable, ctx.Err())
		}
	}
	key, age := s.known(id, now)
	if key != nil {
		return key, nil
	}
	if err := s.lastFailure(); err != nil {
		return nil, fmt.Errorf("%w: fetch the keys of the issuer: %w", ErrUnavailable, err)
	}
	if age == useless {
		return nil, fmt.Errorf("%w: there are no keys of the issuer", ErrUnavailable)
	}
	return nil, fmt.Errorf("%w: the issuer has no key of that name", ErrInactive)
}

// fetch asks for the keys. A key that was there before stays the same pointer.
func (s *keySource) fetch(ctx context.Context) (*keySet, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	asked := s.clock()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, refusedBy(response.StatusCode)
	}
	body, err := readAtMost(response.Body, maxAnswerBytes)
	if err != nil {
		return nil, err
	}
	keys, err := readKeySet(body)
	if err != nil {
		return nil, err
	}
	if before := s.set.Load(); before != nil {
		for id, key := range keys {
			if same := before.keys[id]; same != nil && same.equal(key) {
				keys[id] = same
			}
		}
	}
	return &keySet{keys: keys, fetched: asked, maxAge: keysMaxAge(response.Header.Get("Cache-Control"))}, nil
}

// readAtMost reads all of a body that must not be longer than limit.
func readAtMost(body io.Reader, limit int64) ([]byte, error) {
	all, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if int64(len(all)) > limit {
		return nil, fmt.Errorf("the answer is longer than %d bytes", limit)
	}
	if len(all) == 0 {
		return nil, errors.New("the answer is empty")
	}
	return all, nil
}

// keysMaxAge reads max-age (RFC 9111 section 5.2.2.1), within sensible bounds.
func keysMaxAge(cacheControl string) time.Duration {
	for directive := range strings.SplitSeq(cacheControl, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		if !strings.EqualFold(name, "max-age") {
			continue
		}
		if seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
			return min(max(time.Duration(seconds)*time.Second, leastKeysAge), mostKeysAge)
		}
	}
	return defaultKeysAge
}
