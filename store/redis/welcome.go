package redis

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-redis/redis/v8"
)

// The oldest version whose commands suffice: SET with PXAT, XTRIM with MINID.
const minMajor, minMinor = 6, 2

// welcome looks at the server behind each new connection before anything else goes over it. A server that was fit may
// come back unfit, after a restart with another configuration or as a replica.
func (n *node) welcome(ctx context.Context, c *redis.Conn) error {
	var sections []*redis.StringCmd
	// One round trip for all. The time comes last, so that it is fresh when the answer arrives.
	look, err := n.terms.clock.measure(func() (now *redis.TimeCmd) {
		_, _ = c.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, name := range []string{"server", "memory", "replication"} {
				sections = append(sections, p.Info(ctx, name))
			}
			now = p.Time(ctx)
			return nil
		})
		return now
	})
	var said strings.Builder
	for _, section := range sections {
		if err := section.Err(); err != nil {
			return err
		}
		said.WriteString(section.Val())
	}
	facts := factsFrom(said.String())
	if reason := n.terms.address.mismatch(n.name(), facts["redis_mode"]); reason != nil {
		return reason
	}
	if err != nil {
		return err
	}
	if reason := unfit(n.name(), facts); reason != nil {
		return reason
	}
	if facts["role"] != "master" && !n.terms.address.cluster { // a node of a cluster says itself what it does not hold
		return n.refuseReplica(facts)
	}
	n.learnReplicas(facts)
	n.terms.met(n, look)
	return nil
}

// factsFrom reads the answer of INFO.
func factsFrom(text string) map[string]string {
	facts := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
			facts[name] = value
		}
	}
	return facts
}

// mismatch says why the URL is not that of a server of this mode, or nothing.
func (a *address) mismatch(host, mode string) *refusal {
	switch {
	case mode == "sentinel":
		return refuse("redis at %s is a sentinel: write redis+sentinel://%s/ and the name of the master", host, host)
	case mode == "cluster" && !a.cluster:
		return refuse("redis at %s is a node of a cluster: write redis+cluster:// in the URL", host)
	case mode == "standalone" && a.cluster:
		return refuse("redis at %s is no node of a cluster: write redis:// in the URL", host)
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
	return nil
}

// refuseReplica turns a replica down. Whom the sentinels name may have been a master a moment ago.
func (n *node) refuseReplica(facts map[string]string) error {
	if n.locate != nil {
		return &dialError{fmt.Errorf("%s is a replica now", n.name())}
	}
	return refuse("redis at %s is a replica of %s:%s: give the address of its master", n.name(), facts["master_host"], facts["master_port"])
}

func newEnough(version string) bool {
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return false
	}
	return major > minMajor || major == minMajor && minor >= minMinor
}
