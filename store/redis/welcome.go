package redis

import (
	"context"
	"fmt"

	"github.com/go-redis/redis/v8"
)

// The oldest version whose commands suffice: SET with PXAT, XTRIM with MINID.
const minMajor, minMinor = 6, 2

// welcome looks at the server behind each new connection before anything else goes over it. A server that was fit may
// come back unfit, after a restart with another configuration or as a replica.
func (n *node) welcome(ctx context.Context, c *redis.Conn) error {
	var sections []*redis.StringCmd
	// One round trip for all. The time comes last, so that it is fresh when the answer arrives.
	err := n.clock.measure(func() (now *redis.TimeCmd) {
		_, _ = c.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, name := range []string{"server", "memory", "replication"} {
				sections = append(sections, p.Info(ctx, name))
			}
			now = p.Time(ctx)
			return nil
		})
		return now
	})
	if err != nil {
		return err
	}
	n.marked.Store(false) // it may be another server, or one that has lost its data
	facts := map[string]string{}
	for _, section := range sections {
		if err := section.Err(); err != nil {
			return err
		}
		readFacts(facts, section.Val())
	}
	if reason := unfit(n.host, facts); reason != nil {
		return reason
	}
	return nil
}

// unfit says why a server with these facts must not keep records, or nothing.
func unfit(host string, facts map[string]string) *refusal {
	version := facts["redis_version"]
	if !newEnough(version) {
		return refuse("redis at %s is version %s: use %d.%d or newer", host, version, minMajor, minMinor)
	}
	// An evicted record is a user who is logged out, an evicted counter is a limit that is lifted.
	if policy := facts["maxmemory_policy"]; policy != "noeviction" {
		return refuse("redis at %s may throw records away (maxmemory-policy is %q): set maxmemory-policy noeviction in its configuration", host, policy)
	}
	if facts["role"] != "master" {
		return refuse("redis at %s is a replica of %s:%s: give the address of its master", host, facts["master_host"], facts["master_port"])
	}
	return nil
}

func newEnough(version string) bool {
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return false
	}
	return major > minMajor || major == minMajor && minor >= minMinor
}
