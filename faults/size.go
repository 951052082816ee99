package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/safeconduct/safeconduct/store/bolt"
)

// hugeStore is F26: the embedded file holds a million records, and then a part of them lapses at once.
func hugeStore(s *scene) {
	size := pick(s, 30_000, 1_000_000)
	in := s.install("")
	n := in.addNode().mustStart()
	in.furnish(8)
	l := in.newLoad()
	var held []*delegation
	for _, person := range in.people {
		held = append(held, l.delegate(in.newParty(l.ledger, person, in.site, n.to)))
	}
	ask := func(lasting time.Duration) latencies {
		var wait sync.WaitGroup
		times := make([]latencies, len(held))
		for i, d := range held {
			wait.Go(func() {
				for began := time.Now(); time.Since(began) < lasting; {
					asked := time.Now()
					d.party.introspect(d.number, d.access)
					times[i] = append(times[i], time.Since(asked))
				}
			})
		}
		wait.Wait()
		return together(times)
	}
	few := ask(2 * time.Second)
	_, _, err := n.process.stop(startPatience)
	s.must(err)
	lapse := in.s.bulk(n.dataFile(), size)
	began := time.Now()
	s.must(n.start())
	started := time.Since(began)
	many := ask(2 * time.Second)
	s.sleep(max(time.Until(lapse), 0))
	sweeping := ask(3 * time.Second)
	l.judge(promise{})
	s.done("%d records of 156 bytes in the embedded file, a tenth of which lapse at one moment", size)
	s.figure("start %v (goal 5 s at a million); introspection p99 %v with few records, %v with many (goal 1.2 ×), %v while the lapsed are swept", started.Round(time.Millisecond),
		few.at(0.99).Round(10*time.Microsecond), many.at(0.99).Round(10*time.Microsecond), sweeping.at(0.99).Round(10*time.Microsecond))
	s.goal(started < 5*time.Second, "the start took %v", started)
	s.goal(many.at(0.99) <= few.at(0.99)*12/10, "introspection is %.1f × as slow", float64(many.at(0.99))/float64(few.at(0.99)))
}

// bulk fills a data file that no server has, as grants would. A tenth of it lapses at the moment that it returns.
func (s *scene) bulk(path string, size int) time.Time {
	records, err := bolt.Open(path, bolt.Options{})
	s.must(err)
	defer records.Close()
	const writers = 256
	lapse, later := records.Now().Add(time.Duration(size/10_000)*time.Second+10*time.Second), records.Now().Add(24*time.Hour)
	var next atomic.Int64
	var wait sync.WaitGroup
	for range writers {
		wait.Go(func() {
			for i := int(next.Add(1)); i <= size && s.ctx.Err() == nil; i = int(next.Add(1)) {
				expires := later
				if i%10 == 0 {
					expires = lapse
				}
				if err := records.Add(context.Background(), fmt.Sprintf("bulk/%016d", i*7919%size), make([]byte, 156), expires); err != nil {
					s.Errorf("fill the file: %v", err)
					return
				}
			}
		})
	}
	wait.Wait()
	return lapse
}

// lapsedData is F27: hours of traffic whose tokens and sessions all lapse. The server's clock goes an hour ahead after
// each burst.
func lapsedData(s *scene) {
	hours := pick(s, 4, 24)
	in := s.install("", "SAFECONDUCT_TOKENS_REFRESH_IDLE_TTL=30m", "SAFECONDUCT_TOKENS_REFRESH_MAX_TTL=30m", "SAFECONDUCT_TOKENS_ACCESS_TTL=10m")
	n, door := in.addBreakable()
	n.mustStart()
	in.furnish(8)
	var sizes []int64
	issued := 0
	for hour := range hours {
		l := in.newLoad()
		rate := l.goodput(16, 2*time.Second)
		issued += int(2 * rate.rate)
		door.setClock(time.Duration(hour+1) * time.Hour)
		// The sweeper gets its time for what lapsed.
		s.sleep(2 * time.Second)
		info, err := os.Stat(n.dataFile())
		s.must(err)
		sizes = append(sizes, info.Size())
	}
	after := sizes[len(sizes)-1]
	s.done("%d hours of simulated time, %d grants that all lapse", hours, issued)
	s.figure("data file %.1f MiB after the first hour, %.1f after the last; RSS %d MiB", float64(sizes[0])/(1<<20), float64(after)/(1<<20), n.footprint().rss>>20)
	if half := sizes[len(sizes)/2]; after > half+half/20+(1<<20) {
		s.Errorf("the data file still grows: %v", sizes)
	}
}
