package bolt_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt"
)

// refused opens a file that must be refused with an error that names it and the reason, and be left exactly as it is.
func refused(t *testing.T, path string, reasons ...string) {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	s, err := bolt.Open(path, bolt.Options{})
	if err == nil {
		s.Close()
		t.Error("Open succeeded, want a refusal")
		return
	}
	for _, want := range append(reasons, path) {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was changed, %v", err)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	for _, file := range files {
		if file.Name() != "data.db" && file.Name() != "data.db.lock" {
			t.Errorf("there is a new file %s, %v", file.Name(), err)
		}
	}
}

// What is not a whole data file of ours, of this version, is refused. It is never taken for empty: that would lose all
// users, or let strangers set up the server anew.
func TestWrongFilesAreRefused(t *testing.T) {
	t.Parallel()
	good := goodFile(t)
	random := make([]byte, 64<<10)
	rand.NewChaCha8([32]byte{1}).Read(random)
	pageSize := os.Getpagesize()

	changed := func(at int, to ...byte) []byte {
		c := bytes.Clone(good)
		copy(c[at:], to)
		return c
	}
	for name, c := range map[string]struct {
		content []byte
		reason  string
	}{
		"random bytes":              {random, "not a data file of Safeconduct"},
		"a text":                    {[]byte("users:\n  - alice\n"), "not a data file of Safeconduct"},
		"one byte":                  {good[:1], "not a data file of Safeconduct"},
		"only zeros":                {make([]byte, 64<<10), "not a data file of Safeconduct"},
		"cut within the header":     {good[:60], "not a data file of Safeconduct"},
		"cut after the header":      {good[:3000], "is damaged: it has 3000 bytes"},
		"cut after the first page":  {good[:pageSize], "is damaged: it has"},
		"cut in the middle":         {good[:len(good)/2], "is damaged: it has"},
		"first header overwritten":  {changed(16, random[:64]...), "its first header does not match"},
		"first header damaged":      {changed(16+50, 0xAA), "its first header does not match"},
		"second header overwritten": {changed(pageSize+16, random[:64]...), "its second header does not match"},
		"both headers damaged":      {overwrite(changed(16+50, 0xAA), pageSize+16+50, 0xAA), "neither of its headers"},
		"pages overwritten":         {changed(2*pageSize, make([]byte, len(good)-2*pageSize)...), "is damaged: page"},
		"an item changed":           {bytes.Replace(good, []byte("value 7 of"), []byte("value 8 of"), 1), "does not match its checksum"},
		"a key changed":             {bytes.ReplaceAll(good, []byte("record 117"), []byte("record 11:")), "is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "data.db")
			write(t, path, c.content)
			refused(t, path, c.reason, "it was left as it is")
		})
	}
}

// A file that bbolt finds good need not be ours, nor whole.
func TestFilesOfOtherProgramsAreRefused(t *testing.T) {
	t.Parallel()
	good := goodFile(t)
	for name, c := range map[string]struct {
		content []byte
		act     func(tx *bbolt.Tx) error
		reason  string
	}{
		"another program's": {nil, func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucket([]byte("records"))
			if err != nil {
				return err
			}
			return b.Put([]byte("k"), []byte("v"))
		}, "is not a data file of Safeconduct: it is a bbolt file of another program"},
		"another program's, empty": {nil, func(tx *bbolt.Tx) error { return nil }, "is not a data file of Safeconduct"},
		"another program's, without buckets of its own": {nil, func(tx *bbolt.Tx) error {
			_, err := tx.CreateBucket([]byte("safeconduct"))
			return err
		}, "is damaged: its format version"},
		"a newer release's": {good, func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("safeconduct")).Put([]byte("version"), []byte("2"))
		}, "was written by a newer release of Safeconduct: its format version is 2"},
		"ours without a record": {good, func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("records")).Delete([]byte("rrecord 7"))
		}, "is damaged: it holds"},
		"ours with a strange record": {good, func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("records")).Put([]byte("rforged"), make([]byte, 40))
		}, "does not match its checksum"},
		"ours with a copied record": {good, func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte("records"))
			return b.Put([]byte("rrecord 8"), bytes.Clone(b.Get([]byte("rrecord 7"))))
		}, "does not match its checksum"},
		"ours without a bucket": {good, func(tx *bbolt.Tx) error {
			return tx.DeleteBucket([]byte("counters"))
		}, "is damaged: it has 5 buckets"},
		"ours with a bucket more": {good, func(tx *bbolt.Tx) error {
			_, err := tx.CreateBucket([]byte("more"))
			return err
		}, "is damaged: it has 7 buckets"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "data.db")
			write(t, path, c.content)
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Update(c.act); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			refused(t, path, c.reason)
		})
	}
}

// A page of an older commit is whole and has the right number, and no checksum of bbolt or of an item tells it from the
// one that replaced it. It would bring back what was revoked.
func TestStalePagesAreRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data.db")
	pageSize := os.Getpagesize()
	set := func(value string) (content []byte, page int) {
		s := open(t, path, bolt.Options{})
		if err := s.Set(context.Background(), "k", []byte(value+strings.Repeat(".", 2000)), store.Forever); err != nil {
			t.Fatal(err)
		}
		s.Close()
		content, err := os.ReadFile(path)
		page = bytes.Index(content, []byte(value+"...")) / pageSize
		if err != nil || page < 2 {
			t.Fatalf("%q is on page %d, %v", value, page, err)
		}
		return content, page
	}
	old, stale := set("stale")
	content, fresh := set("fresh")
	copy(content[fresh*pageSize+8:(fresh+1)*pageSize], old[stale*pageSize+8:])
	write(t, path, content)
	refused(t, path, "is damaged: it holds")
}

// bbolt crashes on most of these, some of them where nothing can catch it.
func TestCraftedTreesAreRefused(t *testing.T) {
	t.Parallel()
	good := goodFile(t)
	pageSize := os.Getpagesize()
	order := binary.NativeEndian
	newer := 0
	if order.Uint64(good[pageSize+16+48:]) > order.Uint64(good[16+48:]) {
		newer = pageSize
	}
	root := int(order.Uint64(good[newer+16+16:])) * pageSize
	for name, c := range map[string]struct {
		act    func(b []byte)
		reason string
	}{
		"the root is a header":       {func(b []byte) { order.PutUint64(b[newer+16+16:], 1) }, "something refers to page 1"},
		"the root is out of bounds":  {func(b []byte) { order.PutUint64(b[newer+16+16:], 1<<40) }, "header"},
		"a page has another number":  {func(b []byte) { order.PutUint64(b[root:], 3) }, "does not bear its number"},
		"a page continues for ever":  {func(b []byte) { order.PutUint32(b[root+12:], 1<<31) }, "does not bear its number"},
		"a page has too many items":  {func(b []byte) { order.PutUint16(b[root+10:], 0xFFFF) }, "more elements than room"},
		"a page is of no sort":       {func(b []byte) { order.PutUint16(b[root+8:], 0x07) }, "not what it should be"},
		"a page has no items":        {func(b []byte) { order.PutUint16(b[root+10:], 0) }, "not a data file"},
		"an item points far away":    {func(b []byte) { order.PutUint32(b[root+16+4:], 1<<31) }, "points out of it"},
		"an item is endless":         {func(b []byte) { order.PutUint32(b[root+16+12:], 1<<31) }, "points out of it"},
		"an item has no key":         {func(b []byte) { order.PutUint32(b[root+16+8:], 0) }, "points out of it"},
		"two items have swapped":     {func(b []byte) { b[root+16+16+8] = 1 }, "is damaged"},
		"free pages listed are none": {func(b []byte) { order.PutUint64(b[newer+16+32:], uint64(root/pageSize)) }, "used twice"},
	} {
		t.Run(name, func(t *testing.T) {
			content := bytes.Clone(good)
			c.act(content)
			for _, head := range []int{0, pageSize} {
				sum := fnv.New64a()
				sum.Write(content[head+16 : head+16+56])
				order.PutUint64(content[head+16+56:], sum.Sum64())
			}
			path := filepath.Join(t.TempDir(), "data.db")
			write(t, path, content)
			refused(t, path, c.reason)
		})
	}
}

func overwrite(content []byte, at int, to ...byte) []byte {
	copy(content[at:], to)
	return content
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Error(err)
	}
}
