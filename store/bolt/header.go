package bolt

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
)

// The layout of a bbolt file, version 2: numbers are in the byte order of the machine. Pages 0 and 1 are headers that
// commits write in turn; the one with the higher transaction number counts.
const (
	pageHeader    = 16
	metaSize      = 64
	boltMagic     = 0xED0CDAED
	boltVersion   = 2
	minPageSize   = 1 << 10
	maxPageSize   = 16 << 20
	noFreePages   = ^uint64(0) // bbolt finds the free pages itself
	flagBranch    = 0x01
	flagLeaf      = 0x02
	flagFreelist  = 0x10
	elementHeader = 16
	bucketHeader  = 16
)

var order = binary.NativeEndian

// head is a header of the file.
type head struct {
	pageSize uint32
	root     uint64 // the page of the root
	free     uint64 // the page of the list of free pages
	pages    uint64 // how many pages there are
	tx       uint64 // the transaction that wrote it
}

var (
	errNoHead  = errors.New("no header")
	errBadHead = errors.New("does not match its checksum")
)

// parseHead reads a header from the beginning of a page.
func parseHead(page []byte) (head, error) {
	meta := page[pageHeader:]
	if order.Uint32(meta) != boltMagic {
		return head{}, errNoHead
	}
	sum := fnv.New64a()
	sum.Write(meta[:metaSize-8])
	h := head{
		pageSize: order.Uint32(meta[8:]),
		root:     order.Uint64(meta[16:]),
		free:     order.Uint64(meta[32:]),
		pages:    order.Uint64(meta[40:]),
		tx:       order.Uint64(meta[48:]),
	}
	if sum.Sum64() != order.Uint64(meta[metaSize-8:]) || order.Uint32(meta[4:]) != boltVersion {
		return head{}, errBadHead
	}
	if h.pageSize < minPageSize || h.pageSize > maxPageSize || h.pageSize&(h.pageSize-1) != 0 || h.root >= h.pages {
		return head{}, errBadHead
	}
	return h, nil
}

// readHead returns the header that counts. Both must be good. bbolt itself takes the older one when the newer is not,
// and so forgets the last commit; but whether that had been acknowledged, nobody can tell from the file.
func readHead(file io.ReaderAt, size int64) (head, error) {
	first, firstErr := headAt(file, 0)
	if firstErr == nil {
		if err := first.fits(size); err != nil {
			return head{}, err
		}
	}
	second, secondErr := secondHead(file, first, firstErr == nil)
	switch {
	case !errors.Is(firstErr, errNoHead) && !errors.Is(firstErr, errBadHead) && firstErr != nil:
		return head{}, firstErr
	case errors.Is(firstErr, errNoHead) && secondErr != nil:
		return head{}, &refusal{foreign, "it has no header of a bbolt file"}
	case firstErr != nil && secondErr != nil:
		return head{}, damage("neither of its headers matches its checksum")
	case firstErr != nil:
		return head{}, &refusal{header, "its first header does not match its checksum"}
	case secondErr != nil || first.pageSize != second.pageSize:
		return head{}, &refusal{header, "its second header does not match its checksum"}
	case second.tx > first.tx:
		return second, second.fits(size)
	}
	return first, nil
}

// secondHead reads the header on page 1. Where that begins, the first header says, or else has to be tried.
func secondHead(file io.ReaderAt, first head, firstGood bool) (head, error) {
	if firstGood {
		return headAt(file, int64(first.pageSize))
	}
	for at := int64(minPageSize); at <= maxPageSize; at *= 2 {
		if h, err := headAt(file, at); err == nil && int64(h.pageSize) == at {
			return h, nil
		}
	}
	return head{}, errNoHead
}

// fits reports whether a file of the given size can have that many pages.
func (h head) fits(size int64) error {
	if h.pages > uint64(size)/uint64(h.pageSize) {
		return damage("it has %d bytes, and its header says that there are %d pages of %d bytes", size, h.pages, h.pageSize)
	}
	return nil
}

func headAt(file io.ReaderAt, at int64) (head, error) {
	page := make([]byte, pageHeader+metaSize)
	if _, err := file.ReadAt(page, at); errors.Is(err, io.EOF) {
		return head{}, errNoHead
	} else if err != nil {
		return head{}, err
	}
	return parseHead(page)
}
