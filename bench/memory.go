package main

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/keys"
)

// footprint is what a grant of one kind takes in Redis, all of its keys and their overhead counted.
type footprint struct {
	what  string
	bytes float64
	goal  float64
}

// measureMemory fills an empty Redis with n grants of each kind and looks at what that took.
func (b *bench) measureMemory(ctx context.Context, n int) ([]footprint, error) {
	r, err := startRedis(ctx, b.cores, b.dir)
	if err != nil {
		return nil, err
	}
	defer r.stop()
	ring, err := keys.NewRing(keys.NewSecret())
	if err != nil {
		return nil, err
	}
	kinds := []struct {
		footprint
		each int // grants of one user; 0 for machines'
	}{
		{footprint{what: "machine's grant", goal: 300}, 0},
		{footprint{what: "user's grant with its index entry, 1 grant for each user", goal: 450}, 1},
		{footprint{what: "user's grant with its index entry, 10 grants for each user", goal: 450}, 10},
	}
	f := &fixture{scopes: []uint32{7, 8, 9}, resourceNums: []uint32{2}, machineNumber: 11, webNumber: 12}
	var out []footprint
	for _, kind := range kinds {
		if err := r.client.FlushAll(ctx).Err(); err != nil {
			return nil, fmt.Errorf("empty redis: %w", err)
		}
		// A few grants first, so that scripts and the marker of the store are there before.
		if err := b.fill(ctx, r, ring, f, 10, kind.each); err != nil {
			return nil, err
		}
		before, err := r.usedMemory(ctx)
		if err != nil {
			return nil, err
		}
		if err := b.fill(ctx, r, ring, f, n, kind.each); err != nil {
			return nil, err
		}
		after, err := r.usedMemory(ctx)
		if err != nil {
			return nil, err
		}
		kind.bytes = float64(after-before) / float64(n)
		out = append(out, kind.footprint)
	}
	return out, nil
}

// fill makes n grants, each of the users' ones refreshable, and leaves no connection behind.
func (b *bench) fill(ctx context.Context, r *redisServer, ring *keys.Ring, f *fixture, n, each int) error {
	s, err := openStore(ctx, engineRedis, r.url)
	if err != nil {
		return err
	}
	defer s.Close()
	users := make([]uuid.UUID, 0, n)
	for range n {
		users = append(users, uuid.New())
	}
	service := newService(s, ring)
	return parallel(n, func(i int) error {
		d := f.delegation(f.machineNumber, uuid.Nil)
		if each > 0 {
			d = f.delegation(f.webNumber, users[i/each])
		}
		_, err := service.Issue(ctx, d)
		return err
	})
}
