package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt"
)

// sector is what a disk writes wholly or not at all.
const sector = 512

// powerLost is F13: the power goes in the midst of a commit. Of the pages that were written and not yet synced, any may
// have reached the disk, each in part; after the sync any part of the header page may have. The files that this leaves
// are made from the file before and after each commit, and opened.
func powerLost(s *scene) {
	losses := pick(s, 60, 500)
	path := filepath.Join(s.TempDir(), "data.db")
	records, err := bolt.Open(path, bolt.Options{})
	s.must(err)
	defer records.Close()
	random := rand.New(rand.NewPCG(13, 13))
	kept := map[string]string{}
	before, err := os.ReadFile(path)
	s.must(err)
	var torn, whole int
	for i := range losses {
		// 1. One commit, of any kind.
		key, value := fmt.Sprint("record ", random.IntN(200)), fmt.Sprint("value ", i, string(make([]byte, random.IntN(3000))))
		gone := kept[key] != "" && random.IntN(3) == 0
		if gone {
			s.must(records.Delete(s.ctx, key))
		} else {
			s.must(records.Set(s.ctx, key, []byte(value), store.Forever))
		}
		after, err := os.ReadFile(path)
		s.must(err)
		// 2. What the disk has of it.
		image := lose(random, before, after)
		was, had := kept[key]
		if gone {
			delete(kept, key)
		} else {
			kept[key] = value
		}
		before = after
		// 3. It opens, and holds everything that was acknowledged before.
		got, err := s.open(image, append(keysOf(kept), key))
		if err != nil {
			s.Errorf("after power loss %d the file does not open: %v", i, err)
			continue
		}
		for name, want := range kept {
			if name != key && got[name] != want {
				s.Errorf("after power loss %d a synced record is lost", i)
			}
		}
		switch now, has := got[key], got[key] != ""; {
		case has == !gone && (gone || now == value):
			whole++
		case has == had && now == was:
			torn++
		default:
			s.Errorf("after power loss %d the record of the commit is neither the old nor the new", i)
		}
	}
	s.done("%d commits cut off by a loss of power", losses)
	s.figure("%d opened, with every synced record; %d with the commit, %d without it", torn+whole, whole, torn)
}

// lose makes the file that a loss of power leaves of a commit.
func lose(random *rand.Rand, before, after []byte) []byte {
	page := os.Getpagesize()
	image := bytes.Clone(before)
	if len(after) > len(before) && random.IntN(2) == 0 {
		image = append(image, make([]byte, len(after)-len(before))...)
	}
	// bbolt writes the pages, syncs, writes one of the two headers, and syncs.
	synced := random.IntN(2) == 0
	if synced && len(image) < len(after) {
		image = append(image, make([]byte, len(after)-len(image))...)
	}
	for at := 2 * page; at < len(after) && at < len(image); at += sector {
		if synced || random.IntN(2) == 0 {
			copy(image[at:min(at+sector, len(image))], after[at:min(at+sector, len(after))])
		}
	}
	if synced {
		for at := 0; at < 2*page; at += sector {
			if random.IntN(2) == 0 {
				copy(image[at:at+sector], after[at:at+sector])
			}
		}
	}
	return image
}

// open opens a file and reads some of its records.
func (s *scene) open(content []byte, keys []string) (map[string]string, error) {
	path := filepath.Join(s.TempDir(), "data.db")
	s.must(os.WriteFile(path, content, 0o600))
	defer os.RemoveAll(filepath.Dir(path))
	records, err := bolt.Open(path, bolt.Options{Clock: time.Now})
	if err != nil {
		return nil, err
	}
	defer records.Close()
	got := map[string]string{}
	for _, key := range keys {
		record, err := records.Get(context.Background(), key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if err == nil {
			got[key] = string(record.Value)
		}
	}
	return got, records.Close()
}

func keysOf(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	return keys
}
