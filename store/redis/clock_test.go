package redis_test

import (
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store/redis"
	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// tolerance is how far apart clocks may be that agree, on a busy machine.
const tolerance = 50 * time.Millisecond

// F18 of the failure list: processes on machines with wrong clocks share one time, that of Redis.
func TestHandlesAgreeOnTheTimeOfRedis(t *testing.T) {
	server := redistest.Start(t)
	for _, skew := range []time.Duration{-5 * time.Minute, 0, 5 * time.Minute} {
		s := open(t, redis.Options{URL: server.URL(), Clock: func() time.Time { return time.Now().Add(skew) }})
		now := s.Now()
		if off := redisTime(t, server).Sub(now); off.Abs() > tolerance {
			t.Errorf("a handle whose machine is %v off is %v off", skew, off)
		}
	}
}

// A local clock that is set is found out at the next connection, and Now never runs backwards.
func TestNowSurvivesALocalClockThatIsSet(t *testing.T) {
	server := redistest.Start(t)
	proxy := redistest.NewProxy(t, server.Addr())
	var set atomic.Int64
	s := open(t, redis.Options{URL: proxy.URL(), Clock: func() time.Time { return time.Now().Add(time.Duration(set.Load())) }})
	before := s.Now()
	set.Store(int64(-time.Hour))
	if now := s.Now(); now.Before(before) {
		t.Errorf("Now ran backwards by %v", before.Sub(now))
	}
	proxy.Cut()
	must(t, s.Ping(t.Context()))
	if off := redisTime(t, server).Sub(s.Now()); off.Abs() > tolerance {
		t.Errorf("after the next connection Now is %v off", off)
	}
}

// Until Redis was reached there is no time but the local one; it binds nothing.
func TestNowFollowsRedisFromTheFirstContact(t *testing.T) {
	server := redistest.Start(t)
	server.Kill()
	s := open(t, redis.Options{URL: server.URL(), Clock: func() time.Time { return time.Now().Add(5 * time.Minute) }})
	if off := time.Until(s.Now()) - 5*time.Minute; off.Abs() > tolerance {
		t.Errorf("without Redis, Now is %v off the local clock", off)
	}
	server.Restart()
	eventually(t, "the store mends", func() bool { return s.Ping(t.Context()) == nil })
	if off := redisTime(t, server).Sub(s.Now()); off.Abs() > tolerance {
		t.Errorf("after the first contact Now is %v off", off)
	}
}

// A server that takes over may be behind the one before it, and may have lost the end of a log. Readers have seen numbers up to
// the time that was told, so what is appended then must not hide below them.
func TestNumbersOfALogAreNotBelowTheTimeThatWasTold(t *testing.T) {
	server := redistest.Start(t)
	var ahead atomic.Int64
	s := open(t, redis.Options{URL: server.URL(), Clock: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
	must(t, s.Ping(t.Context()))
	ahead.Store(int64(10 * time.Second)) // as if Redis had fallen behind by as much
	told := s.Now()
	number := func() uint64 {
		t.Helper()
		n, err := s.Append(t.Context(), "log", []byte("entry"), told.Add(time.Hour))
		must(t, err)
		return n
	}
	first := number()
	_, err := server.Do("FLUSHALL")
	must(t, err)
	second := number()
	if told := uint64(told.UnixMicro()); first < told || second < first {
		t.Errorf("numbers %d and, after the log was lost, %d; the time told was %d", first, second, told)
	}
}

func redisTime(t *testing.T, server *redistest.Server) time.Time {
	t.Helper()
	answer, err := server.Do("TIME")
	must(t, err)
	seconds, micros, _ := strings.Cut(answer, "\n")
	s, err := strconv.ParseInt(seconds, 10, 64)
	must(t, err)
	us, err := strconv.ParseInt(micros, 10, 64)
	must(t, err)
	return time.Unix(s, us*1000)
}
