package redis_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/redis"
	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// F04 of the failure list: the store follows the sentinels to the next master, what was taken away stays away, and
// neither time nor the numbers of a log run backwards.
func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	set := redistest.StartSentinelSet(t)
	s := open(t, redis.Options{URL: set.URL()})
	wake, err := s.Subscribe(t.Context(), "topic")
	must(t, err)
	watched := watchTime(s)
	var last uint64

	for _, failure := range []struct {
		name   string
		happen func(master *redistest.Server)
		mend   func(master *redistest.Server)
	}{
		{"after a failover by order", func(*redistest.Server) { set.Failover() }, nil},
		{"after the master died", (*redistest.Server).Kill, (*redistest.Server).Restart},
		{"after the master fell silent", (*redistest.Server).Pause, (*redistest.Server).Resume},
	} {
		must(t, s.Set(t.Context(), "gone", nil, store.Forever))
		eventually(t, "a deletion lasts", func() bool { return s.Delete(t.Context(), "gone") == nil })
		master := set.Master()
		failure.happen(master)
		set.AwaitOther(master)
		follows(t, s, "k", failure.name)
		if _, err := s.Get(t.Context(), "gone"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s, what was deleted is there: %v", failure.name, err)
		}
		eventually(t, "a log entry lasts", func() bool {
			seq, err := s.Append(t.Context(), "log", nil, store.Forever)
			if err == nil && seq <= last {
				t.Errorf("%s, number %d follows %d", failure.name, seq, last)
			}
			last = max(last, seq)
			return err == nil
		})
		if failure.mend != nil {
			failure.mend(master)
		}
		// The old master must not be believed when it is back and does not know yet.
		must(t, s.Set(t.Context(), "k", []byte("new"), store.Forever))
		if record, err := s.Get(t.Context(), "k"); err != nil || string(record.Value) != "new" {
			t.Errorf("%s, Get = %q, %v, want new", failure.name, record.Value, err)
		}
		set.AwaitHealthy()
	}
	watched(t)
	eventually(t, "subscribers are woken", func() bool {
		must(t, s.Publish(t.Context(), "topic"))
		select {
		case <-wake:
			return true
		default:
			return false
		}
	})
}

// One sentinel that is cut off may still name a master that was replaced: the others outvote it. And those that are
// down must not slow the others' word.
func TestOneSentinelIsNotBelievedAlone(t *testing.T) {
	t.Parallel()
	set := redistest.StartSentinelSet(t)
	liar := redistest.NewProxy(t, set.Sentinels()[0].Addr())
	master, replica := set.Master(), set.Replicas()[0]
	liar.Rewrite("\n"+port(master)+"\r", "\n"+port(replica)+"\r")
	url := "redis+sentinel://" + liar.Addr() + "," + set.Sentinels()[1].Addr() + "," + set.Sentinels()[2].Addr() + "/main"
	for range 10 {
		s := open(t, redis.Options{URL: url})
		must(t, s.Set(t.Context(), "k", nil, store.Forever))
	}
	set.Sentinels()[2].Pause()
	began := time.Now()
	s := open(t, redis.Options{URL: set.URL()})
	must(t, s.Set(context.Background(), "k", nil, store.Forever))
	if took := time.Since(began); took > 400*time.Millisecond {
		t.Errorf("with a silent sentinel, the first write took %v", took)
	}
}

func port(s *redistest.Server) string { return s.Addr()[len("127.0.0.1:"):] }
