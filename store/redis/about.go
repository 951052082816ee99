package redis

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-redis/redis/v8"
)

// About is what Redis says of itself.
type About struct {
	Version    string `json:"version"`
	Policy     string `json:"maxmemory_policy"`
	Memory     int64  `json:"used_memory"`
	AppendOnly bool   `json:"append_only"` // whether it keeps the append-only file
	Keys       int64  `json:"keys"`        // in the database, those of others too
}

// About asks the masters. What they say of their programs and settings is what the first of them says.
func (s *Store) About(ctx context.Context) (About, error) {
	var about About
	nodes, err := s.everyNode("ask redis about itself")
	if err != nil {
		return about, err
	}
	for i, n := range nodes {
		facts, err := s.facts(ctx, n)
		if err != nil {
			return About{}, err
		}
		if i == 0 {
			about = About{Version: facts["redis_version"], Policy: facts["maxmemory_policy"], AppendOnly: facts["aof_enabled"] == "1"}
		}
		memory, _ := strconv.ParseInt(facts["used_memory"], 10, 64)
		about.Memory += memory
	}
	about.Keys, err = s.Extent(ctx)
	return about, err
}

// Identity tells two stores apart, by whatever names they were reached.
func (s *Store) Identity(ctx context.Context) (string, error) {
	var ids []string
	nodes, err := s.everyNode("ask redis about itself")
	if err != nil {
		return "", err
	}
	for _, n := range nodes {
		facts, err := s.facts(ctx, n)
		if err != nil {
			return "", err
		}
		ids = append(ids, facts["run_id"])
	}
	return fmt.Sprintf("%s/%d/%s", slices.Min(ids), s.terms.address.database, s.prefix), nil
}

// facts reads INFO.
func (s *Store) facts(ctx context.Context, n *node) (map[string]string, error) {
	cmd := redis.NewStringCmd(ctx, "info")
	if err := s.runAll(ctx, n, "ask redis about itself", []*call{{cmd: cmd}}); err != nil {
		return nil, err
	}
	return factsFrom(cmd.Val()), nil
}
