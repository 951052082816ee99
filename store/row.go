package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// rowVersion is the version of the envelope that this release writes.
const rowVersion = 1

// envelope is how a Table stores a record.
type envelope struct {
	Version int `json:"v"`
	// Draft marks a record that is being made and does not count yet.
	Draft bool `json:"draft,omitempty"`
	// Claims are the names that an update under way wants. They do not count yet.
	Claims []string        `json:"claims,omitempty"`
	Value  json.RawMessage `json:"value"`
}

// row is a record of a Table as it was read.
type row[T any] struct {
	envelope
	record Record
	value  T
}

// withdrawn reports whether the row was taken back: an empty value stands there until it lapses.
func (r row[T]) withdrawn() bool { return r.record.ID != WriteID{} && len(r.record.Value) == 0 }

func (t *Table[T]) key(id string) string       { return t.kind + "/" + id }
func (t *Table[T]) nameKey(name string) string { return t.kind + ":name/" + name }
func (t *Table[T]) index() string              { return t.kind + ":all" }
func (t *Table[T]) subject(id string) string   { return t.kind + "/" + id }

// read returns the row of id, a draft or not. A withdrawn one is ErrNotFound.
func (t *Table[T]) read(ctx context.Context, id string) (row[T], error) {
	record, err := t.store.Get(ctx, t.key(id))
	if err != nil {
		return row[T]{}, err
	}
	r := row[T]{record: record}
	if r.withdrawn() {
		return r, ErrNotFound
	}
	if err := json.Unmarshal(record.Value, &r.envelope); err != nil {
		return r, fmt.Errorf("damaged record: %w", err)
	}
	if r.Version != rowVersion {
		return r, fmt.Errorf("the record has version %d, this release reads version %d", r.Version, rowVersion)
	}
	if err := json.Unmarshal(r.Value, &r.value); err != nil {
		return r, fmt.Errorf("damaged record: %w", err)
	}
	return r, nil
}

// reread returns the record of id, with its write id, if it is still the one just written.
func (t *Table[T]) reread(ctx context.Context, id string, written []byte) (Record, error) {
	record, err := t.store.Get(ctx, t.key(id))
	if errors.Is(err, ErrNotFound) || err == nil && !bytes.Equal(record.Value, written) {
		return Record{}, ErrConflict
	}
	return record, err
}

func (t *Table[T]) encode(e envelope, value T) ([]byte, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode a %s: %w", t.kind, err)
	}
	e.Version, e.Value = rowVersion, raw
	return json.Marshal(e)
}
