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
	conform(t, func(t *testing.T) proxies { return redistest.NewProxy(t, server.Addr()) }, nil)
}

// Who moves to a set with replicas must not have to change anything else.
func TestConformanceUnderSentinels(t *testing.T) {
	t.Parallel()
	set := redistest.StartSentinelSet(t)
	conform(t, func(t *testing.T) proxies { return set.Through() }, set.Replicas)
}

// Nor who moves to a cluster.
func TestConformanceOnACluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	conform(t, func(t *testing.T) proxies { return cluster.Through() }, cluster.Replicas)
}

// proxies stand before what an engine uses.
type proxies interface {
	URL() string
	Refuse()
	Pass()
	DropReplies(n int, loss redistest.Loss, match func(command []string) bool)
}

func conform(t *testing.T, before func(t *testing.T) proxies, replicas func() []*redistest.Server) {
	var engines atomic.Int64
	storetest.Run(t, func(t *testing.T) storetest.Engine {
		proxy := before(t)
		prefix := fmt.Sprintf("engine %d:", engines.Add(1))
		engine := storetest.Engine{
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
		if replicas != nil {
			engine.ShortLife = time.Second // several processes take part in a call
			engine.Isolate = func(testing.TB) func() { return pause(replicas()) }
		}
		return engine
	})
}

// pause lets servers fall silent until resume is called.
func pause(servers []*redistest.Server) (resume func()) {
	for _, s := range servers {
		s.Pause()
	}
	return func() {
		for _, s := range servers {
			s.Resume()
		}
	}
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
	return slices.Contains(names, strings.ToLower(command[0])) && !strings.HasSuffix(command[1], ":\x05")
}
