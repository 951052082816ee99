package keys

import (
	"slices"
	"time"
)

// SigningKey tells about one key that signs, will sign or has signed. There is nothing secret in it.
type SigningKey struct {
	ID        string    `json:"kid"` // its thumbprint (RFC 7638)
	Algorithm string    `json:"alg"`
	Created   time.Time `json:"created"`
	// SignsFrom is when it takes over from its predecessor. It is published from its creation on.
	SignsFrom time.Time `json:"signs_from"`
	// SignsUntil is when its successor takes over; the zero time while there is none.
	SignsUntil time.Time `json:"signs_until,omitzero"`
	// PublishedUntil is when the last of what it signed has lapsed; the zero time while its end is not known.
	PublishedUntil time.Time `json:"published_until,omitzero"`
}

// Published reports whether the key is in the key set at now, so that what it signed is accepted.
func (k SigningKey) Published(now time.Time) bool {
	return k.PublishedUntil.IsZero() || now.Before(k.PublishedUntil)
}

// schedule decides which key signs when, and what is to be made and dropped, from the list of the keys in the order of
// their making and the time. It is arithmetic and nothing else. A key's time comes a fixed span after it was made,
// never by somebody's decision: so no process needs to be awake then, and one that slept through its duty makes the
// successor late, while the old key goes on signing.
type schedule struct {
	lifetime, ahead, keep time.Duration
	algorithms            []string
}

// place fills in when each key ends. A key is superseded by whichever of its successors comes first.
func (s schedule) place(keys []SigningKey) {
	next := make(map[string]time.Time)
	for i := len(keys) - 1; i >= 0; i-- {
		k := &keys[i]
		until := next[k.Algorithm]
		if until.IsZero() && !slices.Contains(s.algorithms, k.Algorithm) {
			// An algorithm that fell out of use gets no successor, and its last key must end all the same. Another
			// process may still use it as long as that.
			until = k.SignsFrom.Add(s.lifetime)
		}
		k.SignsUntil, k.PublishedUntil = until, time.Time{}
		if !until.IsZero() {
			k.PublishedUntil = until.Add(s.keep)
		}
		if from, known := next[k.Algorithm]; !known || k.SignsFrom.Before(from) {
			next[k.Algorithm] = k.SignsFrom
		}
	}
}

// signer returns the place of the key that signs at now: the newest whose time has come. While none has, by a clock
// that is behind the one that made the first key, it is the oldest. It returns -1 if the algorithm has no key.
func (s schedule) signer(keys []SigningKey, algorithm string, now time.Time) int {
	found := -1
	for i, k := range keys {
		if k.Algorithm == algorithm && (found < 0 || !k.SignsFrom.After(now)) {
			found = i
		}
	}
	return found
}

// due returns the algorithms that need a key now: those without any, and those whose newest key will have signed for its
// lifetime when a successor that is made now begins. A newest key whose time is impossibly far off was made by a clock
// that has been set right since: waiting for it could take years.
func (s schedule) due(keys []SigningKey, now time.Time) []string {
	var due []string
	for _, algorithm := range s.algorithms {
		last := s.newest(keys, algorithm)
		if last < 0 {
			due = append(due, algorithm)
			continue
		}
		from := keys[last].SignsFrom
		if !now.Before(from.Add(s.lifetime-s.ahead)) || from.After(now.Add(2*s.ahead)) {
			due = append(due, algorithm)
		}
	}
	return due
}

// begin returns when a key that is made now starts to sign. The first of its algorithm has nobody to wait for.
func (s schedule) begin(keys []SigningKey, algorithm string, now time.Time) time.Time {
	if s.newest(keys, algorithm) < 0 {
		return now
	}
	return now.Add(s.ahead)
}

// waiting counts the keys of an algorithm that have not begun to sign.
func (s schedule) waiting(keys []SigningKey, algorithm string, now time.Time) int {
	n := 0
	for _, k := range keys {
		if k.Algorithm == algorithm && k.SignsFrom.After(now) {
			n++
		}
	}
	return n
}

func (s schedule) newest(keys []SigningKey, algorithm string) int {
	for i := len(keys) - 1; i >= 0; i-- {
		if keys[i].Algorithm == algorithm {
			return i
		}
	}
	return -1
}
