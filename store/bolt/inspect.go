package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// inspect reads a data file from end to end and checks everything that bbolt takes on trust, and what it cannot know:
// the headers, every page and its place in the tree, every item's checksum, and that no item is missing or stale. bbolt
// would panic on some damage and answer wrongly on other. The reading also brings the file into memory in one sweep,
// which on a cold disk is many times faster than page by page.
func inspect(path string) (sums, error) {
	file, err := os.Open(path)
	if err != nil {
		return sums{}, fmt.Errorf("open data file: %w", err)
	}
	defer file.Close()
	// Another program of bbolt's may be writing just now, and what it has not finished looks like damage.
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err != nil {
		return sums{}, fmt.Errorf("data file %s is %w by a program other than Safeconduct: %w", path, ErrInUse, err)
	}
	i := &inspector{file: file}
	found, err := i.run()
	var refused *refusal
	if errors.As(err, &refused) {
		return sums{}, refused.explainTo(path)
	}
	if err != nil {
		return sums{}, fmt.Errorf("read data file %s: %w", path, err)
	}
	return found, nil
}

type inspector struct {
	file     *os.File
	head     head
	seen     []bool // by page: whether something refers to it
	counted  uint64 // items met
	total    uint64 // the sum of their checksums
	pageSize int
	buffer   []byte // for one page, and more when reading in sequence
}

func (i *inspector) run() (sums, error) {
	// 1. The headers, and whether the file is as long as they say.
	info, err := i.file.Stat()
	if err != nil {
		return sums{}, err
	}
	if i.head, err = readHead(i.file, info.Size()); err != nil {
		return sums{}, err
	}
	i.pageSize = int(i.head.pageSize)
	i.buffer = make([]byte, max(1<<20, i.pageSize))
	i.seen = make([]bool, i.head.pages)
	if err := i.warmUp(); err != nil {
		return sums{}, err
	}

	// 2. The buckets. Ours must be there before anything else is judged.
	buckets := map[string]bucketRoot{}
	err = i.walk(i.head.root, func(e element) error {
		if !e.isBucket {
			return damage("page %d has an item that belongs to no bucket", e.page)
		}
		root, err := i.bucket(e)
		buckets[string(e.key)] = root
		return err
	})
	if err != nil {
		return sums{}, err
	}
	about, ok := buckets[aboutBucket]
	if !ok {
		return sums{}, &refusal{foreign, "it is a bbolt file of another program"}
	}
	facts := map[string][]byte{}
	if err := i.walkBucket(about, func(e element) error {
		facts[string(e.key)] = bytes.Clone(e.value)
		return nil
	}); err != nil {
		return sums{}, err
	}
	if err := checkVersion(facts[versionKey]); err != nil {
		return sums{}, err
	}
	want, err := decodeSums(facts[sumsKey])
	if err != nil {
		return sums{}, damage("%v", err)
	}
	if len(buckets) != len(kinds())+1 {
		return sums{}, damage("it has %d buckets instead of %d", len(buckets), len(kinds())+1)
	}

	// 3. Every item.
	for _, k := range kinds() {
		name, _ := k.bucket()
		root, ok := buckets[name]
		if !ok {
			return sums{}, damage("its bucket %q is missing", name)
		}
		if err := i.walkBucket(root, func(e element) error { return i.item(k, e) }); err != nil {
			return sums{}, err
		}
	}
	if i.counted != want.items || i.total != want.total {
		return sums{}, damage("it holds %d items with the sum %x, and should hold %d with the sum %x",
			i.counted, i.total, want.items, want.total)
	}

	// 4. Pages that are said to be free must not be in use.
	return want, i.freePages()
}

// item checks one item and counts it.
func (i *inspector) item(k kind, e element) error {
	if e.isBucket || kind(e.key[0]) != k {
		return damage("page %d holds something that does not belong there", e.page)
	}
	i.counted++
	if k == deadlineKind {
		if len(e.key) < 10 {
			return damage("page %d holds a deadline that is too short", e.page)
		}
		i.total += uint64(deadlineSum(e.key))
		return nil
	}
	it, err := decodeItem(e.key, e.value)
	if err != nil {
		return damage("an item on page %d does not match its checksum", e.page)
	}
	i.total += uint64(it.sum)
	return nil
}

// warmUp reads all pages in the order in which they lie on the disk.
func (i *inspector) warmUp() error {
	all := io.NewSectionReader(i.file, 0, int64(i.head.pages)*int64(i.pageSize))
	for {
		if _, err := all.Read(i.buffer); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
