package archive_test

import (
	"errors"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/archive"
	"github.com/safeconduct/safeconduct/store/bolt"
	"github.com/safeconduct/safeconduct/store/redis"
	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// Who outgrows one machine takes everything along, and may come back.
func TestEverythingGoesToRedisAndBack(t *testing.T) {
	server := redistest.Start(t)
	there := redis.Options{URL: server.URL()}
	from := openBolt(t, dataFile(t))
	populate(t, from, 3000)

	copyAll(t, from, fillRedis(t, there))
	records := openRedis(t, there)
	wantSame(t, from, records)

	path := dataFile(t)
	copyAll(t, records, fillBolt(t, path))
	back := openBolt(t, path)
	wantSame(t, from, back)
	if back.Now().Before(from.Now().Add(-time.Second)) {
		t.Errorf("the copy's time is %v, the source's %v", back.Now(), from.Now())
	}
}

// An operator must hear what is wrong with a copy, by name.
func TestComparisonNamesWhatDiffers(t *testing.T) {
	from := openBolt(t, dataFile(t))
	populate(t, from, 100)
	path := dataFile(t)
	copyAll(t, from, fillBolt(t, path))
	to := openBolt(t, path)
	wantSame(t, from, to)

	ctx, later := t.Context(), from.Now().Add(time.Hour)
	must(t, to.Delete(ctx, "record 7"))
	must(t, to.Set(ctx, "record 8", []byte("value \x00 8"), later)) // with another write id and expiry
	must(t, to.Set(ctx, "extra", nil, later))
	must(t, to.Withdraw(ctx, "index 0", "member 0"))
	c, err := archive.Compare(ctx, from, to, silent)
	must(t, err)
	want := map[string]bool{
		`records: "record 7" is missing`: true, `records: "record 8" differs`: true, `records: "extra" should not be there`: true,
		`index entries: "member 0" of index "index 0" is missing`: true,
	}
	for _, d := range c.Differences {
		if !want[d.String()] {
			t.Errorf("named: %s", d)
		}
		delete(want, d.String())
	}
	if len(want) > 0 || c.Same() {
		t.Errorf("not named: %v", want)
	}
	if c.From.Records == c.To.Records || c.From.Entries != c.To.Entries {
		t.Errorf("the sums are %+v and %+v", c.From, c.To)
	}
}

// What ended on a store must not live again on one whose clock is behind.
func TestTargetWhoseClockIsBehindIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	server := redistest.Start(t)
	ahead := func() time.Time { return time.Now().Add(time.Hour) }
	from, err := bolt.Open(dataFile(t), bolt.Options{Clock: ahead})
	must(t, err)
	t.Cleanup(func() { from.Close() })
	populate(t, from, 10)
	to := fillRedis(t, redis.Options{URL: server.URL()})
	_, err = archive.Copy(t.Context(), from, store.Mark{Now: from.Now()}, to, quiet)
	if !errors.Is(err, store.ErrBehind) {
		t.Errorf("got %v, want ErrBehind", err)
	}
	if _, err := to.Get(t.Context(), "record 1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a record was written: %v", err)
	}
}

// A server that is at work on the target would be cut off from its data, and would write into the copy.
func TestTargetInUseIsRefused(t *testing.T) {
	server := redistest.Start(t)
	there := redis.Options{URL: server.URL()}
	running := openRedis(t, there)
	_, err := running.Subscribe(t.Context(), store.ChangesTopic)
	must(t, err)
	if _, err := redis.Fill(t.Context(), there, true, store.ChangesTopic); !errors.Is(err, redis.ErrInUse) {
		t.Errorf("Redis: got %v, want ErrInUse", err)
	}
	if unfinished, err := running.Unfinished(t.Context()); unfinished || err != nil {
		t.Errorf("it is marked: %v, %v", unfinished, err)
	}
	path := dataFile(t)
	openBolt(t, path)
	if _, err := bolt.Fill(path, true, bolt.Options{}); !errors.Is(err, bolt.ErrInUse) {
		t.Errorf("the data file: got %v, want ErrInUse", err)
	}
}

// The work of an hour must not be lost because Redis stood still for longer than one answer may take.
func TestCopyOutlastsAPauseOfRedis(t *testing.T) {
	server := redistest.Start(t)
	records := openRedis(t, redis.Options{URL: server.URL()})
	populate(t, records, 2000)
	paused := false
	told := 0
	_, err := records.Walk(t.Context(), func(store.Item) error {
		if told++; !paused {
			paused = true
			server.Pause()
			time.AfterFunc(time.Second, server.Resume)
		}
		return nil
	})
	must(t, err)
	whole, _, err := archive.Measure(t.Context(), records)
	must(t, err)
	if int64(told) != whole.Count() {
		t.Errorf("told %d of %d", told, whole.Count())
	}
}
