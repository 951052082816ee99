package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/archive"
	"github.com/safeconduct/safeconduct/store/redis"
	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// A backup holds all that the store held, whichever engine it is put back into.
func TestBackupIsRestoredIntoAnyEngine(t *testing.T) {
	server := redistest.Start(t)
	from := openBolt(t, dataFile(t))
	populate(t, from, 2000)
	backup := openBackup(t, save(t, from))
	if info, err := os.Stat(save(t, from)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mode is %v, %v", info.Mode(), err)
	}

	path := dataFile(t)
	copyAll(t, backup, fillBolt(t, path))
	wantSame(t, from, openBolt(t, path))

	there := redis.Options{URL: server.URL()}
	copyAll(t, backup, fillRedis(t, there))
	records := openRedis(t, there)
	wantSame(t, from, records)

	again := openBackup(t, save(t, records))
	if again.Tally != backup.Tally {
		t.Errorf("the backup of the restored store holds %+v, the first one %+v", again.Tally, backup.Tally)
	}
}

// Half a backup, or one with a single bit changed, is refused; what it would have done nobody can say.
func TestDamagedBackupIsRefused(t *testing.T) {
	from := openBolt(t, dataFile(t))
	populate(t, from, 40)
	content, err := os.ReadFile(save(t, from))
	must(t, err)
	if _, items, err := read(t.Context(), content); err != nil || len(items) == 0 {
		t.Fatalf("the whole one: %d items, %v", len(items), err)
	}
	for at := range content {
		if _, _, err := read(t.Context(), content[:at]); !errors.Is(err, archive.ErrDamaged) {
			t.Fatalf("cut at %d of %d: got %v", at, len(content), err)
		}
		flipped := bytes.Clone(content)
		flipped[at] ^= 1 << (at % 8)
		if _, _, err := read(t.Context(), flipped); !errors.Is(err, archive.ErrDamaged) && !errors.Is(err, archive.ErrNewer) {
			t.Fatalf("bit %d of byte %d flipped: got %v", at%8, at, err)
		}
	}
	if _, _, err := read(t.Context(), append(content, 0)); !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("with a byte more: got %v", err)
	}
}

// What a newer release wrote may mean what this one cannot know.
func TestBackupOfANewerReleaseIsRefused(t *testing.T) {
	from := openBolt(t, dataFile(t))
	populate(t, from, 1)
	content, err := os.ReadFile(save(t, from))
	must(t, err)
	newer := strings.Replace(string(content), "safeconduct-backup 1 ", "safeconduct-backup 2 ", 1)
	if _, _, err := read(t.Context(), []byte(newer)); !errors.Is(err, archive.ErrNewer) {
		t.Errorf("got %v, want ErrNewer", err)
	}
}

// A backup that exists is never lost to one that fails, nor to one that does not.
func TestSavingReplacesNothing(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "backup")
	cause := errors.New("the disk is full")
	if _, err := archive.Save(t.Context(), path, func(file *os.File) error {
		_, _ = file.WriteString("half")
		return cause
	}); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	if _, err := archive.Save(t.Context(), path, func(file *os.File) error {
		_, err := file.WriteString("not a backup")
		return err
	}); !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("what cannot be read back: got %v", err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
		t.Errorf("it left %v, %v", left, err)
	}
	must(t, os.WriteFile(path, []byte("precious"), 0o600))
	if _, err := archive.Save(t.Context(), path, func(*os.File) error { return nil }); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a file: got %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "precious" {
		t.Errorf("the file holds %q, %v", text, err)
	}
}

// outlived is how many grants one writer makes before it ends the first of them: a walk meets many that end meanwhile.
const outlived = 40

// writers do what issuing and ending grants does to a store, in its order: the name first, then the record, which ends
// first. Every tenth stays.
func writers(ctx context.Context, s store.Store, wait *sync.WaitGroup) {
	for w := range 8 {
		name := func(n int) string { return fmt.Sprintf("grant %d.%d", w, n) }
		index := func(n int) string { return fmt.Sprintf("grants of %d", n%50) }
		wait.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				until := s.Now().Add(time.Hour)
				if _, err := s.Enroll(ctx, index(n), name(n), until); err != nil {
					return
				}
				if s.Add(ctx, name(n), []byte(index(n)), until) != nil {
					return
				}
				old := n - outlived
				if old >= 0 && old%10 != 0 && (s.Delete(ctx, name(old)) != nil || s.Withdraw(ctx, index(old), name(old)) != nil) {
					return
				}
			}
		})
	}
}

// A backup of a store in use holds no grant that its index does not name: nobody could find it to end it. And it holds
// everything that was there before and was left alone.
func TestBackupUnderLoadHoldsNoGrantThatNobodyFinds(t *testing.T) {
	server := redistest.Start(t)
	for name, s := range map[string]interface {
		store.Store
		store.Walker
	}{"bolt": openBolt(t, dataFile(t)), "redis": openRedis(t, redis.Options{URL: server.URL()})} {
		t.Run(name, func(t *testing.T) {
			populate(t, s, 2000)
			ctx, stop := context.WithCancel(t.Context())
			var wait sync.WaitGroup
			writers(ctx, s, &wait)
			for {
				if _, err := s.Get(ctx, fmt.Sprintf("grant 7.%d", outlived)); err == nil {
					break
				}
				must(t, ctx.Err())
			}
			paths := []string{save(t, s), save(t, s), save(t, s)}
			stop()
			wait.Wait()
			for _, path := range paths {
				target := dataFile(t)
				copyAll(t, openBackup(t, path), fillBolt(t, target))
				restored := openBolt(t, target)
				checkGrants(t, restored)
				for n := range 2000 {
					if _, err := restored.Get(t.Context(), fmt.Sprintf("record %d", n)); err != nil {
						t.Fatalf("record %d: %v", n, err)
					}
				}
			}
		})
	}
}

func checkGrants(t *testing.T, s store.Store) {
	t.Helper()
	grants := 0
	_, err := s.(store.Walker).Walk(t.Context(), func(i store.Item) error {
		if i.Kind == store.KindRecord && strings.HasPrefix(i.Name, "grant ") {
			grants++
			found, err := s.(store.Walker).Find(t.Context(), []store.Item{{Kind: store.KindMember, Name: string(i.Value), Member: i.Name}})
			if err != nil || found[0].Kind == 0 {
				t.Errorf("%s lives, and %s does not name it: %v", i.Name, i.Value, err)
			}
		}
		return nil
	})
	must(t, err)
	if grants == 0 {
		t.Error("there are no grants: nothing was tried")
	}
}

// Whatever is read as a backup is one, and nothing makes the reader fail otherwise than by an error.
func FuzzRead(f *testing.F) {
	f.Add([]byte("safeconduct-backup 1 {}\n\x00\x00\x00\x00"))
	f.Add([]byte("safeconduct-backup 1 {}\n\x00\x00\x00\x05r\x01aaa"))
	f.Add([]byte("safeconduct-backup 1 {}\n\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, content []byte) {
		contents, items, err := read(t.Context(), content)
		if err == nil && int64(len(items)) != contents.Tally.Count() {
			t.Errorf("%d items, and it counts %d", len(items), contents.Tally.Count())
		}
	})
}
