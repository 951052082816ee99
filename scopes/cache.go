package scopes

import (
	"crypto/sha256"
	"sync"
	"time"
)

// evictionSample is the number of tokens among which the one to drop is chosen.
const evictionSample = 8

// cache remembers valid tokens for a while. Tokens that are not valid never enter it, so requests with made-up tokens
// cannot fill it. A nil cache is always empty.
type cache struct {
	limit   int
	mu      sync.Mutex
	entries map[digest]entry
}

// digest is a hash by SHA-256. It stands for a token: memory that leaks should not give away what can be presented.
type digest [sha256.Size]byte

func digestOf(text string) digest {
	var space [1 << 10]byte // enough for most tokens, so that they are not copied to the heap
	return sha256.Sum256(append(space[:0], text...))
}

type entry struct {
	token *Token
	asked time.Time // when it was last known to be valid
	until time.Time
}

func newCache(limit int) *cache {
	return &cache{limit: limit, entries: make(map[digest]entry)}
}

// get returns a copy of what is known of token at now.
func (c *cache) get(token string, now time.Time) (*Token, bool) {
	if c == nil {
		return nil, false
	}
	key := digestOf(token)
	c.mu.Lock()
	e, found := c.entries[key]
	c.mu.Unlock()
	// A clock that was set back must not lengthen the life of an answer.
	if !found || !now.Before(e.until) || now.Before(e.asked) {
		return nil, false
	}
	return e.token.clone(), true // an entry does not change, so this needs no lock
}

// put keeps a copy of t, which was valid at asked, for the given time and never beyond its expiry.
func (c *cache) put(token string, t *Token, asked time.Time, keep time.Duration) {
	if c == nil {
		return
	}
	until := asked.Add(keep)
	if !t.Expires.IsZero() && t.Expires.Before(until) {
		until = t.Expires
	}
	key := digestOf(token)
	e := entry{token: t.clone(), asked: asked, until: until}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, found := c.entries[key]; !found && len(c.entries) >= c.limit {
		c.evict()
	}
	c.entries[key] = e
}

// evict makes room: of a few tokens, picked by the random order of maps, it drops the one that would lapse first.
func (c *cache) evict() {
	var first digest
	var until time.Time
	seen := 0
	for key, e := range c.entries {
		if seen == 0 || e.until.Before(until) {
			first, until = key, e.until
		}
		if seen++; seen == evictionSample {
			break
		}
	}
	delete(c.entries, first)
}
