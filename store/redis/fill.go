package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-redis/redis/v8"

	"github.com/safeconduct/safeconduct/store"
)

// ErrInUse is wrapped by the errors of Fill and RefuseListeners when servers are at work on the store.
var ErrInUse = errors.New("in use")

const (
	// aheadWait is how far behind the clock of Redis may be that Advance waits for.
	aheadWait = 10 * time.Second
	aheadPoll = 10 * time.Millisecond
)

// Filling is a handle on a Redis whose keys are being filled. A key of its own says so until Finish.
type Filling struct {
	*Store
	topic string // what servers subscribe to
}

var _ store.Filler = (*Filling)(nil)

// Fill begins to fill what is under o.Prefix. It returns an error that wraps store.ErrNotEmpty when something is there,
// unless replace is set or it is what a filling left behind that was cut short: that is deleted first. Nobody must be at
// work there: topic is what servers subscribe to, and one that does makes it ErrInUse.
func Fill(ctx context.Context, o Options, replace bool, topic string) (*Filling, error) {
	s, err := Open(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := s.beginFilling(ctx, replace, topic); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &Filling{s, topic}, nil
}

func (s *Store) beginFilling(ctx context.Context, replace bool, topic string) error {
	unfinished, err := s.Unfinished(ctx) // at first: this fails soon when Redis is away
	if err != nil {
		return err
	}
	if err := s.RefuseListeners(ctx, topic); err != nil {
		return err
	}
	if !unfinished && !replace {
		holds, err := s.holdsKeys(ctx)
		if err == nil && holds {
			err = fmt.Errorf("redis at %s has keys under the prefix %q: %w", s.where(), s.prefix, store.ErrNotEmpty)
		}
		if err != nil {
			return err
		}
	}
	mark := &call{cmd: redis.NewStatusCmd(ctx, "set", s.unfinishedKey(), "1"), key: s.unfinishedKey()}
	if err := s.do(ctx, "mark the store as unfinished", mark); err != nil {
		return err
	}
	// One may have begun just before the mark was there.
	if err := s.RefuseListeners(ctx, topic); err != nil {
		return err
	}
	return s.clear(ctx)
}

// RefuseListeners returns an error that wraps ErrInUse if servers are subscribed to a topic.
func (s *Store) RefuseListeners(ctx context.Context, topic string) error {
	n, err := s.Listeners(ctx, topic)
	if err == nil && n > 0 {
		servers := "1 server"
		if n > 1 {
			servers = fmt.Sprintf("%d servers", n)
		}
		err = fmt.Errorf("redis at %s with the prefix %q is %w by %s", s.where(), s.prefix, ErrInUse, servers)
	}
	return err
}

// Listeners is how many handles are subscribed to a topic.
func (s *Store) Listeners(ctx context.Context, topic string) (int, error) {
	all := 0
	nodes, err := s.everyNode("look for servers")
	if err != nil {
		return 0, err
	}
	for _, n := range nodes {
		cmd := redis.NewSliceCmd(ctx, "pubsub", "numsub", s.key(kindTopic, topic))
		if err := s.runAll(ctx, n, "look for servers", []*call{{cmd: cmd}}); err != nil {
			return 0, err
		}
		if answer := cmd.Val(); len(answer) == 2 {
			listening, _ := answer[1].(int64)
			all += int(listening)
		}
	}
	return all, nil
}

// Unfinished reports whether a filling of the store was begun and not finished.
func (s *Store) Unfinished(ctx context.Context) (bool, error) {
	cmd := redis.NewIntCmd(ctx, "exists", s.unfinishedKey())
	if err := s.do(ctx, "look for an unfinished filling", &call{cmd: cmd, key: s.unfinishedKey()}); err != nil {
		return false, err
	}
	return cmd.Val() > 0, nil
}

// storedKinds are the kinds of keys that hold something.
func storedKinds() []string { return []string{kindRecord, kindIndex, kindLog} }

// holdsKeys reports whether any key under the prefix holds something.
func (s *Store) holdsKeys(ctx context.Context) (bool, error) {
	found := errors.New("found")
	for _, kind := range storedKinds() {
		err := s.scanAll(ctx, kind, func(keys []string) error {
			if len(keys) > 0 {
				return found
			}
			return nil
		})
		if errors.Is(err, found) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// clear deletes everything under the prefix but the mark of the filling.
func (s *Store) clear(ctx context.Context) error {
	for _, kind := range append(storedKinds(), kindMarker) {
		err := s.scanAll(ctx, kind, func(keys []string) error {
			calls := make([]*call, len(keys))
			for i, key := range keys {
				calls[i] = &call{cmd: redis.NewIntCmd(ctx, "unlink", key), key: key}
			}
			return s.runKeyed(ctx, "delete what was there", calls)
		})
		if err != nil {
			return err
		}
	}
	s.marked.Store(false)
	return nil
}

// Load writes items as they are.
func (f *Filling) Load(ctx context.Context, items []store.Item) error {
	if err := f.mark(ctx); err != nil {
		return f.unavailable("load items", err)
	}
	calls := make([]*call, len(items))
	for n, i := range items {
		var err error
		if calls[n], err = f.loading(ctx, i); err != nil {
			return err
		}
	}
	return f.runKeyed(ctx, "load items", calls)
}

// loading is the call that writes an item.
func (f *Filling) loading(ctx context.Context, i store.Item) (*call, error) {
	until, err := expiryOf(i.Expires)
	if err != nil {
		return nil, err
	}
	switch i.Kind {
	case store.KindRecord, store.KindCounter:
		key := f.key(kindRecord, i.Name)
		var value any = stored(i.ID, i.Value)
		if i.Kind == store.KindCounter {
			value = i.Count
		}
		args := []any{"set", key, value}
		if until != forever {
			args = append(args, "pxat", until.keyArg())
		}
		return &call{cmd: redis.NewStatusCmd(ctx, args...), key: key}, nil
	case store.KindMember:
		key := f.key(kindIndex, i.Name)
		return f.scripts.enroll.call(ctx, key, i.Member, until.stamp(), until.keyArg(), 0), nil
	case store.KindEntry:
		key, id := f.key(kindLog, i.Name), store.NewWriteID()
		return f.scripts.loadEntry.call(ctx, key, id[:], until.stamp(), until.keyArg(), bytes.Clone(i.Value), fmt.Sprintf("%d-0", i.Seq)), nil
	}
	return nil, errors.New("redis: an item is of no known kind")
}

// Advance waits until the clock of Redis has reached the mark. Numbers of entries follow that clock.
func (f *Filling) Advance(ctx context.Context, m store.Mark) error {
	if behind := m.Now.Sub(f.Now()); behind > aheadWait {
		return fmt.Errorf("the clock of redis at %s is %v behind the time of what it shall hold, set it right: %w",
			f.where(), behind.Round(time.Second), store.ErrBehind)
	}
	tick := time.NewTicker(aheadPoll)
	defer tick.Stop()
	for f.Now().Before(m.Now) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// Finish takes the mark away, which lets servers in. One that is in already spoils it.
func (f *Filling) Finish(ctx context.Context) error {
	if err := f.RefuseListeners(ctx, f.topic); err != nil {
		return err
	}
	unmark := &call{cmd: redis.NewIntCmd(ctx, "del", f.unfinishedKey()), key: f.unfinishedKey()}
	if err := f.do(ctx, "mark the store as finished", unmark); err != nil {
		return err
	}
	return f.Close()
}

func (s *Store) unfinishedKey() string { return s.prefix + kindUnfinished }
