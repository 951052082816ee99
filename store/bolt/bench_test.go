package bolt_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt"
)

// grantSize is the size of a typical user's grant.
const grantSize = 156

// BenchmarkAdd shows what a durable write costs alone, and what sharing commits brings.
func BenchmarkAdd(b *testing.B) {
	benchmarkWriters(b, func(s *bolt.Store, n uint64) error {
		id := uuid.Must(uuid.NewV7())
		return s.Add(context.Background(), "g:"+string(id[:]), make([]byte, grantSize), s.Now().Add(time.Hour))
	})
}

// BenchmarkSwap is a refresh: one read and one swap of one of 50,000 grants.
func BenchmarkSwap(b *testing.B) {
	const grants = 50_000
	benchmarkWriters(b, func(s *bolt.Store, n uint64) error {
		if n < grants {
			return s.Set(context.Background(), grantKey(n), make([]byte, grantSize), s.Now().Add(time.Hour))
		}
		key := grantKey(n * 0x9E3779B97F4A7C15 % grants)
		old, err := s.Get(context.Background(), key)
		if err != nil {
			return err
		}
		return s.Swap(context.Background(), key, old, make([]byte, grantSize), s.Now().Add(time.Hour))
	}, grants)
}

func grantKey(n uint64) string {
	return "g:" + string(binary.BigEndian.AppendUint64(make([]byte, 8), n))
}

// benchmarkWriters runs write from several goroutines at once. The first prepare numbers are not measured.
func benchmarkWriters(b *testing.B, write func(s *bolt.Store, n uint64) error, prepare ...uint64) {
	for _, writers := range []int{1, 32, 64, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "data.db"), bolt.Options{})
			var next atomic.Uint64
			until := func(end uint64, writers int) {
				var all sync.WaitGroup
				for range writers {
					all.Go(func() {
						for n := next.Add(1) - 1; n < end; n = next.Add(1) - 1 {
							if err := write(s, n); err != nil {
								b.Errorf("write: %v", err)
								return
							}
						}
					})
				}
				all.Wait()
				next.Store(end)
			}
			for _, n := range prepare {
				until(n, 256)
			}
			b.ResetTimer()
			until(next.Load()+uint64(b.N), writers)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
		})
	}
}

// BenchmarkGet is an introspection's share of the store.
func BenchmarkGet(b *testing.B) {
	const grants = 50_000
	s := open(b, filepath.Join(b.TempDir(), "data.db"), bolt.Options{})
	var all sync.WaitGroup
	var next atomic.Uint64
	for range 256 {
		all.Go(func() {
			for n := next.Add(1) - 1; n < grants; n = next.Add(1) - 1 {
				if err := s.Set(context.Background(), grantKey(n), make([]byte, grantSize), store.Forever); err != nil {
					b.Errorf("Set: %v", err)
				}
			}
		})
	}
	all.Wait()
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for n := uint64(0); pb.Next(); n++ {
			if _, err := s.Get(context.Background(), grantKey(n*0x9E3779B97F4A7C15%grants)); err != nil {
				b.Errorf("Get: %v", err)
			}
		}
	})
}
