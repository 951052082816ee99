package redis_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/redis"
	"github.com/safeconduct/safeconduct/store/storetest"
	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// Every engine keeps the same promises.
func TestConformance(t *testing.T) {
	server := redistest.Start(t)
	var engines atomic.Int64
	storetest.Run(t, func(t *testing.T) storetest.Engine {
		proxy := redistest.NewProxy(t, server.Addr())
		prefix := fmt.Sprintf("engine %d:", engines.Add(1))
		return storetest.Engine{
			ServerTime: true,
			Open: func(t testing.TB, clock func() time.Time) store.Store {
				return open(t, redis.Options{URL: proxy.URL(), Prefix: prefix, Clock: clock})
			},
			Fill: func(clock func() time.Time, replace bool) (store.Filler, error) {
				return redis.Fill(t.Context(), redis.Options{URL: proxy.URL(), Prefix: prefix, Clock: clock}, replace, store.ChangesTopic)
			},
			Usable: func(t testing.TB) error {
				unfinished, err := open(t, redis.Options{URL: proxy.URL(), Prefix: prefix}).Unfinished(t.Context())
				if err == nil && unfinished {
					err = store.ErrUnfinished
				}
				return err
			},
			Break: func(testing.TB) func() {
				proxy.Refuse()
				return proxy.Pass
			},
			LoseReply: func(testing.TB) { proxy.DropReplies(1, redistest.Close, isWrite) },
		}
	})
}

// open opens a store that is closed with the test.
func open(t testing.TB, o redis.Options) *redis.Store {
	t.Helper()
	s, err := redis.Open(t.Context(), o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// isWrite picks the commands that the engine writes with, but not the marker of the first write.
func isWrite(command []string) bool {
	names := []string{"set", "del", "eval", "evalsha"}
	return slices.Contains(names, strings.ToLower(command[0])) && !strings.HasSuffix(command[1], ":m")
}
