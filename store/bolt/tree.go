package bolt

import (
	"bytes"
)

// maxDepth is deeper than any tree that fits on a disk.
const maxDepth = 32

// element is a key and what is under it, on a leaf.
type element struct {
	page       uint64
	isBucket   bool
	key, value []byte
}

// bucketRoot is where the content of a bucket is: in a tree of its own, or within the bucket's value when it is small.
type bucketRoot struct {
	page   uint64
	inline []byte
}

// bucket reads the root of the bucket in e.
func (i *inspector) bucket(e element) (bucketRoot, error) {
	if len(e.value) < bucketHeader {
		return bucketRoot{}, damage("a bucket on page %d is cut short", e.page)
	}
	root := bucketRoot{page: order.Uint64(e.value)}
	if root.page == 0 {
		root.inline = bytes.Clone(e.value[bucketHeader:])
	}
	return root, nil
}

// walkBucket calls see for each element of a bucket, in order.
func (i *inspector) walkBucket(root bucketRoot, see func(element) error) error {
	if root.page != 0 {
		return i.walk(root.page, see)
	}
	page, err := parsePage(0, root.inline)
	if err != nil {
		return err
	}
	if page.flags != flagLeaf {
		return damage("a small bucket is no leaf")
	}
	for n := range page.count {
		if err := see(page.element(n)); err != nil {
			return err
		}
	}
	return nil
}

// walk calls see for each element of the tree whose root is on a page, in order. Keys and values are only valid during
// the call.
func (i *inspector) walk(root uint64, see func(element) error) error {
	return i.walkPage(root, nil, nil, 0, see)
}

// walkPage walks the part of a tree whose keys are not less than from and less than to, where nil is no bound.
func (i *inspector) walkPage(id uint64, from, to []byte, depth int, see func(element) error) error {
	page, err := i.readPage(id)
	if err != nil {
		return err
	}
	if depth > maxDepth || page.flags != flagLeaf && page.flags != flagBranch {
		return damage("page %d is not what it should be", id)
	}
	last := from
	for n := range page.count {
		key := page.key(n)
		if n == 0 && bytes.Compare(key, last) < 0 || n > 0 && bytes.Compare(key, last) <= 0 || to != nil && bytes.Compare(key, to) >= 0 {
			return damage("page %d is out of order", id)
		}
		last = key
	}
	if page.flags == flagBranch && page.count == 0 {
		return damage("page %d leads nowhere", id)
	}
	for n := range page.count {
		if page.flags == flagLeaf {
			if err := see(page.element(n)); err != nil {
				return err
			}
			continue
		}
		end := to
		if n+1 < page.count {
			end = page.key(n + 1)
		}
		if err := i.walkPage(page.child(n), page.key(n), end, depth+1, see); err != nil {
			return err
		}
	}
	return nil
}

// readPage reads a page that something refers to, with the pages that continue it. What it returns of a leaf is only
// valid until the next call.
func (i *inspector) readPage(id uint64) (page, error) {
	if id < 2 || id >= i.head.pages {
		return page{}, damage("something refers to page %d, and there are %d", id, i.head.pages)
	}
	at := int64(id) * int64(i.pageSize)
	raw := i.buffer[:i.pageSize]
	if _, err := i.file.ReadAt(raw, at); err != nil {
		return page{}, err
	}
	more := uint64(order.Uint32(raw[12:]))
	if order.Uint64(raw) != id || more >= i.head.pages-id {
		return page{}, damage("page %d does not bear its number", id)
	}
	for p := id; p <= id+more; p++ {
		if i.seen[p] {
			return page{}, damage("page %d is used twice", p)
		}
		i.seen[p] = true
	}
	if more > 0 || order.Uint16(raw[8:]) != flagLeaf {
		raw = make([]byte, (1+more)*uint64(i.pageSize))
		if _, err := i.file.ReadAt(raw, at); err != nil {
			return page{}, err
		}
	}
	return parsePage(id, raw)
}

// freePages checks the list of free pages, which our files do not have; but a tool that compacts them writes one.
func (i *inspector) freePages() error {
	if i.head.free == noFreePages {
		return nil
	}
	page, err := i.readPage(i.head.free)
	if err != nil {
		return err
	}
	if page.flags != flagFreelist {
		return damage("page %d is no list of free pages", i.head.free)
	}
	ids, count := page.raw[pageHeader:], uint64(page.count)
	if count == 0xFFFF {
		count, ids = order.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids)/8) {
		return damage("the list of free pages is cut short")
	}
	for n := range count {
		id := order.Uint64(ids[8*n:])
		if id < 2 || id >= i.head.pages || i.seen[id] {
			return damage("page %d is said to be free", id)
		}
		i.seen[id] = true
	}
	return nil
}
