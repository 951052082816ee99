package redistest

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Cluster is a Redis Cluster of three masters with a replica each.
type Cluster struct {
	group
}

// StartCluster starts a cluster and waits until it is healthy. The further arguments go to every node, as for Start;
// "--cluster-node-timeout", "15000" keeps a paused master from being replaced, which else happens after two seconds. A
// part of the cluster that is down does not make the others refuse ("--cluster-require-full-coverage", "yes" does).
func StartCluster(t testing.TB, args ...string) *Cluster {
	t.Helper()
	c := &Cluster{group: group{t: t}}
	defaults := []string{
		"--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "no",
		"--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1",
	}
	if slices.Contains(args, "--tls-cert-file") {
		defaults = append(defaults, "--tls-cluster", "yes", "--tls-replication", "yes")
	}
	create := []string{"--cluster", "create"}
	for range 6 {
		s := &Server{t: t, args: append(slices.Clone(defaults), args...)}
		if password := s.option("--requirepass"); password != "" {
			s.args = append(s.args, "--masterauth", password)
		}
		s.begin(true)
		c.nodes = append(c.nodes, s)
		create = append(create, s.Addr())
	}
	create = append(create, "--cluster-replicas", "1", "--cluster-yes")
	if password := c.nodes[0].option("--requirepass"); password != "" {
		create = append(create, "-a", password, "--no-auth-warning")
	}
	if said, err := exec.Command(installed(t, "redis-cli"), create...).CombinedOutput(); err != nil {
		t.Fatalf("create a cluster: %v: %s", err, lastLines(string(said)))
	}
	c.AwaitHealthy()
	return c
}

// URL is the cluster's address for redis.Options, without a password and, if the nodes have certificates, for TLS.
func (c *Cluster) URL() string {
	var addresses []string
	for _, s := range c.nodes {
		if s.tlsPort != "" {
			addresses = append(addresses, s.TLSAddr())
		} else {
			addresses = append(addresses, s.Addr())
		}
	}
	url := clusterURL(addresses)
	if c.nodes[0].tlsPort != "" {
		url = strings.Replace(url, "redis", "rediss", 1)
	}
	return url
}

func clusterURL(addresses []string) string { return "redis+cluster://" + strings.Join(addresses, ",") }

// Through puts a proxy before every node.
func (c *Cluster) Through() *Proxies { c.t.Helper(); return newProxies(c.t, c.nodes, clusterURL) }

// Masters are the nodes that hold slots, in the order of their first slot.
func (c *Cluster) Masters() []*Server {
	c.t.Helper()
	var masters []*Server
	for _, slots := range c.ranges(c.someone()) {
		if master := c.at(slots.master); master != nil && !slices.Contains(masters, master) {
			masters = append(masters, master)
		}
	}
	return masters
}

// Replicas are the running nodes that follow a master.
func (c *Cluster) Replicas() []*Server {
	c.t.Helper()
	var replicas []*Server
	for _, master := range c.Masters() {
		replicas = append(replicas, c.ReplicasOf(master)...)
	}
	return replicas
}

// Slot is the slot of a key.
func (c *Cluster) Slot(key string) string {
	c.t.Helper()
	return c.do(c.someone(), "CLUSTER", "KEYSLOT", key)[0]
}

// MasterOf is the master that holds key, or would; nil while nobody does.
func (c *Cluster) MasterOf(key string) *Server {
	c.t.Helper()
	return c.holder(number(c.Slot(key)))
}

// ReplicasOf are the running replicas of a master.
func (c *Cluster) ReplicasOf(master *Server) []*Server {
	c.t.Helper()
	var found []*Server
	for _, s := range c.running() {
		if f := facts(s, "INFO", "replication"); f["role"] == "slave" && master.listensOn(f["master_port"]) {
			found = append(found, s)
		}
	}
	return found
}

// Failover makes the replica of a master the master in its place, by order and with the old one alive, and returns it.
func (c *Cluster) Failover(master *Server) *Server {
	c.t.Helper()
	replica := c.ReplicasOf(master)[0]
	c.do(replica, "CLUSTER", "FAILOVER")
	c.AwaitMaster(replica)
	return replica
}

// AwaitMaster waits until a node has become a master that holds slots, and all that run have heard of it.
func (c *Cluster) AwaitMaster(node *Server) {
	c.t.Helper()
	c.await("the replica is the master", func() bool {
		for _, s := range c.running() {
			holds := func(r slotRange) bool { return node.listensOn(r.master) }
			if !slices.ContainsFunc(c.ranges(s), holds) {
				return false
			}
		}
		return facts(node, "INFO", "replication")["role"] == "master"
	})
}

// AwaitHealthy waits until all nodes that run agree about who holds which slots and who follows whom, all slots are held
// by nodes that run, and the replicas among these are in touch with their masters.
func (c *Cluster) AwaitHealthy() {
	c.t.Helper()
	c.await("the cluster is healthy", func() bool {
		view := c.members(c.someone())
		for _, s := range c.running() {
			agrees := slices.EqualFunc(c.members(s), view, func(a, b member) bool {
				return a.port == b.port && a.master == b.master && slices.Equal(a.slots, b.slots)
			})
			if !agrees || facts(s, "CLUSTER", "INFO")["cluster_state"] != "ok" {
				return false
			}
			f := facts(s, "INFO", "replication")
			if f["role"] == "slave" && !follows(s, c.at(f["master_port"])) {
				return false
			}
		}
		return c.covered()
	})
}

// covered reports whether every slot is held by a node that runs.
func (c *Cluster) covered() bool {
	covered := 0
	for _, slots := range c.ranges(c.someone()) {
		if master := c.at(slots.master); master != nil && master.Running() {
			covered += slots.last - slots.first + 1
		}
	}
	return covered == slotCount
}
