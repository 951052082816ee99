package bolt

// page is a page of a bbolt file whose elements are known to lie within it.
type page struct {
	id    uint64
	flags uint16
	count int
	raw   []byte
}

// parsePage reads a page and checks that everything that its elements point to is inside it.
func parsePage(id uint64, raw []byte) (page, error) {
	if len(raw) < pageHeader {
		return page{}, damage("page %d is cut short", id)
	}
	p := page{id: id, flags: order.Uint16(raw[8:]), count: int(order.Uint16(raw[10:])), raw: raw}
	if p.flags != flagLeaf && p.flags != flagBranch {
		return p, nil
	}
	end := pageHeader + p.count*elementHeader
	if end > len(raw) {
		return page{}, damage("page %d has more elements than room", id)
	}
	for n := range p.count {
		at, keySize, valueSize := p.extent(n)
		if at < uint64(end) || keySize == 0 || at+keySize+valueSize > uint64(len(raw)) {
			return page{}, damage("an element of page %d points out of it", id)
		}
		if p.flags == flagLeaf && order.Uint32(p.header(n)) > 1 {
			return page{}, damage("an element of page %d is of an unknown sort", id)
		}
	}
	return p, nil
}

// header returns the fixed part of element n.
func (p page) header(n int) []byte {
	return p.raw[pageHeader+n*elementHeader:][:elementHeader]
}

// extent returns where the key of element n begins, and how long key and value are.
func (p page) extent(n int) (at, keySize, valueSize uint64) {
	h, base := p.header(n), uint64(pageHeader+n*elementHeader)
	if p.flags == flagBranch {
		return base + uint64(order.Uint32(h)), uint64(order.Uint32(h[4:])), 0
	}
	return base + uint64(order.Uint32(h[4:])), uint64(order.Uint32(h[8:])), uint64(order.Uint32(h[12:]))
}

// key returns the key of element n.
func (p page) key(n int) []byte {
	at, size, _ := p.extent(n)
	return p.raw[at : at+size]
}

// child returns the page to which element n of a branch leads.
func (p page) child(n int) uint64 { return order.Uint64(p.header(n)[8:]) }

// element returns element n of a leaf.
func (p page) element(n int) element {
	at, keySize, valueSize := p.extent(n)
	return element{
		page:     p.id,
		isBucket: order.Uint32(p.header(n)) == 1,
		key:      p.raw[at : at+keySize],
		value:    p.raw[at+keySize : at+keySize+valueSize],
	}
}
