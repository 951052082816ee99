package redis_test

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/redis"
	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

func BenchmarkGet(b *testing.B) {
	value := make([]byte, 150)
	benchmark(b, func(s *redis.Store, key string) (func(context.Context) error, error) {
		err := s.Set(b.Context(), key, value, store.Forever)
		return func(ctx context.Context) error {
			_, err := s.Get(ctx, key)
			return err
		}, err
	})
}

// A refresh: the record is read and swapped.
func BenchmarkGetAndSwap(b *testing.B) {
	value := make([]byte, 150)
	benchmark(b, func(s *redis.Store, key string) (func(context.Context) error, error) {
		err := s.Set(b.Context(), key, value, store.Forever)
		return func(ctx context.Context) error {
			old, err := s.Get(ctx, key)
			if err != nil {
				return err
			}
			return s.Swap(ctx, key, old, value, store.Forever)
		}, err
	})
}

// benchmark measures act by several numbers of goroutines, each with a key of its own, coalesced and not.
func benchmark(b *testing.B, prepare func(*redis.Store, string) (act func(context.Context) error, err error)) {
	server := redistest.Start(b)
	for _, goroutines := range []int{1, 32, 128} {
		for _, kind := range []struct {
			name string
			make func(redis.Options) redis.Options
		}{
			{"coalesced", func(o redis.Options) redis.Options { return o }},
			{"alone", redis.Uncoalesced},
		} {
			b.Run(fmt.Sprintf("%s/%d", kind.name, goroutines), func(b *testing.B) {
				s := open(b, kind.make(redis.Options{URL: server.URL(), PoolSize: goroutines + 4}))
				var number atomic.Int64
				b.ReportAllocs()
				before := processorTime(b)
				defer func() {
					b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
				}()
				// RunParallel multiplies by the cores; one goroutine must stay one.
				if goroutines == 1 {
					act, err := prepare(s, "k0")
					for b.Loop() && err == nil {
						err = act(b.Context())
					}
					if err != nil {
						b.Fatal(err)
					}
					return
				}
				b.SetParallelism(goroutines / runtime.GOMAXPROCS(0))
				b.RunParallel(func(pb *testing.PB) {
					act, err := prepare(s, "k"+strconv.FormatInt(number.Add(1), 10))
					for pb.Next() && err == nil {
						err = act(context.Background())
					}
					if err != nil {
						b.Error(err)
					}
				})
			})
		}
	}
}

// processorTime is what this process has used so far. On a busy machine it says more than the clock.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
