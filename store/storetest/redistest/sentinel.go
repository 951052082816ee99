package redistest

import (
	"slices"
	"strings"
	"testing"
)

const (
	replicas  = 2
	sentinels = 3
	// masterName is what the sentinels call the master.
	masterName = "main"
)

// SentinelSet is a master with two replicas and the three sentinels that watch them and choose a new master when the
// old one is gone.
type SentinelSet struct {
	group
	watchers []*Server
}

// StartSentinelSet starts a set and waits until it is healthy. The further arguments go to the master and its replicas,
// as for Start. The sentinels take a master for dead when it was silent for a second.
func StartSentinelSet(t testing.TB, args ...string) *SentinelSet {
	t.Helper()
	// A replica must not wait for others to join it before it gets its copy.
	args = append([]string{"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"}, args...)
	master := Start(t, args...)
	set := &SentinelSet{group: group{t: t, nodes: []*Server{master}}}
	follow := append([]string{"--replicaof", "127.0.0.1 " + master.port}, args...)
	watch := []string{
		"sentinel monitor " + masterName + " 127.0.0.1 " + master.port + " 2",
		"sentinel down-after-milliseconds " + masterName + " 1000",
		"sentinel failover-timeout " + masterName + " 6000",
		"sentinel parallel-syncs " + masterName + " 2",
	}
	if password := master.option("--requirepass"); password != "" {
		follow = append(follow, "--masterauth", password)
		watch = append(watch, "sentinel auth-pass "+masterName+" "+password)
	}
	for range replicas {
		set.nodes = append(set.nodes, Start(t, follow...))
	}
	for range sentinels {
		s := &Server{t: t, watches: watch}
		s.begin(false)
		// It would look every ten seconds, and a test must not wait for that.
		set.do(s, "SENTINEL", "DEBUG", "INFO-PERIOD", "500", "PUBLISH-PERIOD", "500", "ELECTION-TIMEOUT", "2000")
		set.watchers = append(set.watchers, s)
	}
	set.AwaitHealthy()
	return set
}

// URL is the set's address for redis.Options, without a password.
func (s *SentinelSet) URL() string {
	var addresses []string
	for _, sentinel := range s.watchers {
		addresses = append(addresses, sentinel.Addr())
	}
	return sentinelURL(addresses)
}

func sentinelURL(addresses []string) string {
	return "redis+sentinel://" + strings.Join(addresses, ",") + "/" + masterName
}

// Through puts a proxy before every sentinel and every node.
func (s *SentinelSet) Through() *Proxies {
	s.t.Helper()
	return newProxies(s.t, slices.Concat(s.watchers, s.nodes), func(addresses []string) string {
		return sentinelURL(addresses[:len(s.watchers)])
	})
}

// Sentinels are the processes that watch. They keep no data.
func (s *SentinelSet) Sentinels() []*Server { return s.watchers }

// Master is whom the sentinels that run take for the master, or nil while they do not agree.
func (s *SentinelSet) Master() *Server {
	s.t.Helper()
	port := ""
	for _, sentinel := range s.watchers {
		if !sentinel.Running() {
			continue
		}
		answer, err := sentinel.ask("SENTINEL", "get-master-addr-by-name", masterName)
		if err != nil || len(answer) != 2 || port != "" && answer[1] != port {
			return nil
		}
		port = answer[1]
	}
	return s.at(port)
}

// Replicas are the running nodes that are not the master.
func (s *SentinelSet) Replicas() []*Server {
	s.t.Helper()
	var others []*Server
	for _, node := range s.running() {
		if node != s.Master() {
			others = append(others, node)
		}
	}
	return others
}

// Failover makes another node the master, by order and with the old one alive, and returns it.
func (s *SentinelSet) Failover() *Server {
	s.t.Helper()
	old := s.Master()
	// A sentinel refuses while it is still busy with the last failover.
	s.await("a sentinel takes the order", func() bool {
		_, err := s.watchers[0].Do("SENTINEL", "failover", masterName)
		return err == nil
	})
	return s.AwaitOther(old)
}

// AwaitOther waits until all sentinels say that another than old is the master, and returns it.
func (s *SentinelSet) AwaitOther(old *Server) (master *Server) {
	s.t.Helper()
	s.await("the sentinels choose another master", func() bool {
		master = s.Master()
		return master != nil && master != old && facts(master, "INFO", "replication")["role"] == "master"
	})
	return master
}

// AwaitHealthy waits until the sentinels agree about a master that runs, know each other and every node that runs, and
// all of these follow the master.
func (s *SentinelSet) AwaitHealthy() {
	s.t.Helper()
	s.await("the set is healthy", func() bool {
		master := s.Master()
		if master == nil || !master.Running() || facts(master, "INFO", "replication")["role"] != "master" {
			return false
		}
		for _, node := range s.running() {
			if node != master && !follows(node, master) {
				return false
			}
		}
		for _, sentinel := range s.watchers {
			if sentinel.Running() && !s.seesAll(sentinel) {
				return false
			}
		}
		return true
	})
}

// seesAll reports whether a sentinel could order a failover: it knows the others, and all nodes that run.
func (s *SentinelSet) seesAll(sentinel *Server) bool {
	if _, err := sentinel.Do("SENTINEL", "ckquorum", masterName); err != nil {
		return false
	}
	answer, err := sentinel.ask("SENTINEL", "replicas", masterName)
	if err != nil {
		return false
	}
	healthy := 0
	for i := 0; i+1 < len(answer); i += 2 {
		if answer[i] == "flags" && answer[i+1] == "slave" {
			healthy++
		}
	}
	return healthy >= len(s.running())-1
}
