package grants

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// RevocationsLog is the log in the store that tells of revocations, and the topic that wakes its readers.
const RevocationsLog = "revocations"

// revocationSlack is how much longer an entry is kept than any token that it can concern: clocks of resource servers
// differ, and a token may be given out while the entry is being written.
const revocationSlack = time.Minute

// Revocation tells those who verify signed access tokens without asking what was revoked before its time. Exactly one of
// Grant, User and Epoch is set.
type Revocation struct {
	// Grant was ended.
	Grant uuid.UUID
	// User is whose grants until Before were ended.
	User   uuid.UUID
	Before time.Time
	// Epoch was ended, with everything granted to its client in it. Machines' grants are in no index, and a process that
	// has not heard of the end yet may still make some: in that epoch, so they are covered whenever they are made.
	Epoch ClientEpoch
	// Until is when the last token lapses that this can concern.
	Until time.Time
	// Resources are those that such a token can be meant for; none stands for all.
	Resources []uint32
	// Places are those of the ended grants in their status lists. A client's have none: its lists end with it.
	Places []StatusPlace
}

// revocationRecord is a Revocation as it stands in the log: CBOR, one array.
type revocationRecord struct {
	_         struct{} `cbor:",toarray"`
	Version   uint8
	Grant     []byte
	User      []byte
	Before    int64 // Unix milliseconds
	Client    uint32
	Epoch     uint32
	Until     int64 // Unix seconds
	Resources []uint32
	Places    []StatusPlace
}

const revocationVersion = 2

func (r Revocation) encode() []byte {
	record := revocationRecord{Version: revocationVersion, Client: r.Epoch.Client, Epoch: r.Epoch.Number, Until: wholeSecond(r.Until).Unix(), Resources: r.Resources, Places: r.Places}
	if r.Grant != uuid.Nil {
		record.Grant = r.Grant[:]
	}
	if r.User != uuid.Nil {
		record.User = r.User[:]
	}
	if !r.Before.IsZero() {
		record.Before = r.Before.UnixMilli()
	}
	return must(encoding.Marshal(record))
}

// ParseRevocation reads an entry of RevocationsLog.
func ParseRevocation(entry []byte) (Revocation, error) {
	var record revocationRecord
	if err := decoding.Unmarshal(entry, &record); err != nil {
		return Revocation{}, fmt.Errorf("decode revocation: %w", err)
	}
	if record.Version != revocationVersion {
		return Revocation{}, fmt.Errorf("decode revocation: layout %d is not known to this release", record.Version)
	}
	r := Revocation{Epoch: ClientEpoch{record.Client, record.Epoch}, Until: time.Unix(record.Until, 0), Resources: record.Resources, Places: record.Places}
	for from, to := range map[*[]byte]*uuid.UUID{&record.Grant: &r.Grant, &record.User: &r.User} {
		if len(*from) == 0 {
			continue
		}
		if len(*from) != len(*to) {
			return Revocation{}, errors.New("decode revocation: an id has the wrong size")
		}
		copy(to[:], *from)
	}
	if record.Before != 0 {
		r.Before = time.UnixMilli(record.Before)
	}
	return r, nil
}

// partMax is how many places, or resources, one entry tells at most. Whoever can gather grants must not be able to make an
// entry that cannot be read.
const partMax = 1000

// parts are entries that together say what r says.
func (r Revocation) parts() []Revocation {
	if len(r.Resources) > partMax {
		r.Resources = nil
	}
	if len(r.Places) <= partMax {
		return []Revocation{r}
	}
	var parts []Revocation
	for places := range slices.Chunk(r.Places, partMax) {
		part := r
		part.Places = places
		parts = append(parts, part)
	}
	return parts
}

// announce writes a revocation down. It comes before the act: a crash in between tells of a revocation that did not
// happen, and whoever repeats it makes it true. In the other order it would stay untold.
func (e Ender) announce(ctx context.Context, r Revocation) error {
	for _, part := range r.parts() {
		if _, err := e.store.Append(ctx, RevocationsLog, part.encode(), r.Until); err != nil {
			return fmt.Errorf("announce a revocation: %w", err)
		}
	}
	_ = e.store.Publish(ctx, RevocationsLog) // only a hint: the readers poll
	return nil
}

// announced announces a revocation and then does it. A store that has no room for the entry has some when the grants are
// gone: then it is announced after all. If that fails too the caller learns it, though the grants have ended.
func (e Ender) announced(ctx context.Context, r *Revocation, act func() error) error {
	if r == nil {
		return act()
	}
	untold := e.announce(ctx, *r)
	if err := act(); err != nil {
		return err
	}
	if untold != nil {
		return e.announce(ctx, *r)
	}
	return nil
}

// revocation is what ending the grant tells, nil if nobody can hold a signed token of it.
func (g grant) revocation(now time.Time) *Revocation {
	if !g.signed() {
		return nil
	}
	return &Revocation{Grant: g.id, Until: g.signedUntil(now), Resources: g.Resources, Places: []StatusPlace{*g.Status}}
}

// signed reports whether somebody may hold a signed token of the grant.
func (r *record) signed() bool { return r.SignedLife > 0 }

// signedUntil is when the last signed token of the grant has lapsed, one included that is given out at this moment.
func (g grant) signedUntil(now time.Time) time.Time {
	return now.Add(time.Duration(g.SignedLife)*time.Second + revocationSlack)
}

// ClientEpoch is a time in the life of a client: what ends everything granted to it begins the next.
type ClientEpoch struct{ Client, Number uint32 }

// String spells an epoch as signed tokens and the feed name it.
func (e ClientEpoch) String() string {
	return strconv.FormatUint(uint64(e.Client), 10) + "." + strconv.FormatUint(uint64(e.Number), 10)
}

// EndEpoch tells that everything granted to a client in an epoch is worth nothing: its epoch is raised next, or it is
// deleted. life is the longest of any access token.
func (e Ender) EndEpoch(ctx context.Context, epoch ClientEpoch, resources []uint32, life time.Duration) error {
	return e.announce(ctx, Revocation{Epoch: epoch, Until: e.store.Now().Add(life + 2*revocationSlack), Resources: resources})
}

// userMark is what ending all grants of a user tells, nil if nobody can hold a signed token of any.
func userMark(user uuid.UUID, ended []grant, now time.Time) *Revocation {
	var mark *Revocation
	for _, g := range ended {
		if !g.signed() {
			continue
		}
		if mark == nil {
			mark = &Revocation{User: user, Before: now}
		}
		if created := g.created(); created.After(mark.Before) {
			mark.Before = created // by the clock of another process
		}
		if until := g.signedUntil(now); until.After(mark.Until) {
			mark.Until = until
		}
		mark.Places = append(mark.Places, *g.Status)
		for _, resource := range g.Resources {
			if !slices.Contains(mark.Resources, resource) {
				mark.Resources = append(mark.Resources, resource)
			}
		}
	}
	return mark
}
