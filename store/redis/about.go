package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"

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

// About asks the first master.
func (s *Store) About(ctx context.Context) (About, error) {
	facts, err := s.facts(ctx)
	if err != nil {
		return About{}, err
	}
	about := About{Version: facts["redis_version"], Policy: facts["maxmemory_policy"], AppendOnly: facts["aof_enabled"] == "1"}
	about.Memory, _ = strconv.ParseInt(facts["used_memory"], 10, 64)
	about.Keys, err = s.Extent(ctx)
	return about, err
}

// Identity tells two stores apart, by whatever names they were reached.
func (s *Store) Identity(ctx context.Context) (string, error) {
	facts, err := s.facts(ctx)
	return fmt.Sprintf("%s/%d/%s", facts["run_id"], s.database, s.prefix), err
}

// facts reads INFO.
func (s *Store) facts(ctx context.Context) (map[string]string, error) {
	cmd := redis.NewStringCmd(ctx, "info")
	if err := s.runAll(ctx, s.masters()[0], "ask redis about itself", []*call{{cmd: cmd}}); err != nil {
		return nil, err
	}
	facts := map[string]string{}
	readFacts(facts, cmd.Val())
	return facts, nil
}

// readFacts reads the lines of INFO.
func readFacts(into map[string]string, text string) {
	for line := range strings.Lines(text) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
			into[name] = value
		}
	}
}
