package bolt

import (
	"go.etcd.io/bbolt"
)

// tx is one write transaction, shared by all writes of a batch. A write looks before it touches anything: one that ends
// with an error of the contract has left nothing behind, and the others go on.
type tx struct {
	db    *bbolt.Tx
	now   int64 // the batch's time, Unix milliseconds
	sums  sums
	batch int   // how many writes share it
	dirty bool  // whether there is anything to commit
	tight bool  // the disk is full: only a few pages are left to give room back with
	void  error // bbolt refused a change; nothing of the batch may be committed
}

func (t *tx) bucket(k kind) *bbolt.Bucket {
	name, fill := k.bucket()
	b := t.db.Bucket([]byte(name))
	b.FillPercent = fill
	return b
}

// find returns the item under key, live or not; nil when there is none.
func (t *tx) find(key []byte) (*item, error) {
	raw := t.bucket(kind(key[0])).Get(key)
	if raw == nil {
		return nil, nil
	}
	it, err := decodeItem(key, raw)
	if err != nil {
		return nil, err
	}
	return &it, nil
}

// findLive returns the live item under key together with whatever is there, which put and drop ask for.
func (t *tx) findLive(key []byte) (live, there *item, err error) {
	there, err = t.find(key)
	if err == nil && there != nil && there.live(t.now) {
		live = there
	}
	return live, there, err
}

// put stores a payload under key in place of old, the item that find returned.
func (t *tx) put(key []byte, old *item, expires int64, payload []byte) error {
	it := item{expires: expires, payload: payload}
	was := int64(0)
	if old != nil {
		was = old.deadline
	}
	it.deadline = was
	switch {
	case expires >= foreverUnix:
		it.deadline = 0
	case was == 0 || was > expires:
		it.deadline = expires
	}
	if err := t.moveDeadline(key, was, it.deadline); err != nil {
		return err
	}
	return t.store(key, old, &it)
}

// store writes an item whose deadline is in its place.
func (t *tx) store(key []byte, old, it *item) error {
	raw := it.encode(key)
	if old != nil {
		t.sums.items--
		t.sums.total -= uint64(old.sum)
	}
	t.sums.items++
	t.sums.total += uint64(it.sum)
	t.sums.written++
	t.dirty = true
	return t.check(t.bucket(kind(key[0])).Put(key, raw))
}

// drop removes the item under key, the one that find returned.
func (t *tx) drop(key []byte, old *item) error {
	if err := t.moveDeadline(key, old.deadline, 0); err != nil {
		return err
	}
	t.sums.items--
	t.sums.total -= uint64(old.sum)
	t.dirty = true
	return t.check(t.bucket(kind(key[0])).Delete(key))
}

// moveDeadline moves the deadline of the item under key; 0 stands for none.
func (t *tx) moveDeadline(key []byte, from, to int64) error {
	if from == to {
		return nil
	}
	deadlines := t.bucket(deadlineKind)
	if from != 0 {
		raw := deadlineKey(from, key)
		t.sums.items--
		t.sums.total -= uint64(deadlineSum(raw))
		if err := t.check(deadlines.Delete(raw)); err != nil {
			return err
		}
	}
	if to != 0 {
		raw := deadlineKey(to, key)
		t.sums.items++
		t.sums.total += uint64(deadlineSum(raw))
		if err := t.check(deadlines.Put(raw, nil)); err != nil {
			return err
		}
	}
	t.dirty = true
	return nil
}

// check notes an error of bbolt itself: the transaction is half changed then and must be thrown away.
func (t *tx) check(err error) error {
	if err != nil {
		t.void = err
	}
	return err
}

// finish writes the sums, the last act of a batch.
func (t *tx) finish() error {
	return t.db.Bucket([]byte(aboutBucket)).Put([]byte(sumsKey), t.sums.encode())
}
