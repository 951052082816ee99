package keys

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

// secretsIndex lists, by fingerprint, the system secrets under which something was issued that may still be presented.
const secretsIndex = "secrets"

const fingerprintPage = 100

// MissingSecretError says that a store holds what was issued under system secrets that this process lacks. It could
// neither check nor end any of that.
type MissingSecretError struct {
	Fingerprints []string  // of the secrets that are missing
	Have         []string  // of the secrets that are there
	Lapses       time.Time // when the last of what they signed will have lapsed
}

// Error names the secrets and says what to do.
func (e *MissingSecretError) Error() string {
	return fmt.Sprintf("the store holds what was issued under system secret %s, but this process has only %s: "+
		"add the missing secret below the first line of the secrets file, or start with the secrets that belong to this store; "+
		"what was issued under it lapses at %s",
		strings.Join(e.Fingerprints, ", "), strings.Join(e.Have, ", "), e.Lapses.UTC().Format(time.RFC3339))
}

// Enroll makes sure that the ring has every system secret under which something in the store was issued, and enters
// the signing one. A secret that no longer signs is no longer entered and lapses when keep has passed since: keep is
// the longest life of anything issued, with some slack. Call it at the start, before anything is issued, and
// once a day.
func (r *Ring) Enroll(ctx context.Context, s store.Store, keep time.Duration) error {
	until, err := r.verifyEnrolled(ctx, s)
	if err != nil {
		return err
	}
	signing := r.secrets[0].Fingerprint()
	// An earlier promise may reach further than today's keep.
	if now := s.Now().Add(keep); until[signing].Before(now) {
		if _, err := s.Enroll(ctx, secretsIndex, signing, now); err != nil {
			return fmt.Errorf("enter the fingerprint of the system secret: %w", err)
		}
	}
	// Two processes with different secrets may start on an empty store at once: they must not both go on.
	_, err = r.verifyEnrolled(ctx, s)
	var missing *MissingSecretError
	if _, before := until[signing]; errors.As(err, &missing) && !before {
		// Nothing was issued under this one. It must not stand in the way of the process that goes on.
		err = errors.Join(err, s.Withdraw(ctx, secretsIndex, signing))
	}
	return err
}

// verifyEnrolled returns the expiry of every fingerprint in the store, or a *MissingSecretError.
func (r *Ring) verifyEnrolled(ctx context.Context, s store.Store) (map[string]time.Time, error) {
	have := r.Fingerprints()
	until := make(map[string]time.Time)
	missing := &MissingSecretError{Have: have}
	enrolled, err := Enrolled(ctx, s)
	if err != nil {
		return nil, err
	}
	for _, m := range enrolled {
		until[m.Name] = m.Expires
		if slices.Contains(have, m.Name) {
			continue
		}
		missing.Fingerprints = append(missing.Fingerprints, m.Name)
		if m.Expires.After(missing.Lapses) {
			missing.Lapses = m.Expires
		}
	}
	if len(missing.Fingerprints) > 0 {
		return nil, missing
	}
	return until, nil
}

// Enrolled returns the fingerprints of the system secrets under which something in the store was issued, each with the
// time when the last of it lapses.
func Enrolled(ctx context.Context, s store.Store) ([]store.Member, error) {
	var all []store.Member
	after := ""
	for {
		members, err := s.Members(ctx, secretsIndex, after, fingerprintPage)
		if err != nil {
			return nil, fmt.Errorf("read the fingerprints of system secrets: %w", err)
		}
		all = append(all, members...)
		if len(members) < fingerprintPage {
			return all, nil
		}
		after = members[len(members)-1].Name
	}
}
