package redistest

import (
	"strings"
	"testing"
	"time"
)

// groupTimeout bounds every wait for servers to agree among themselves. A busy machine slows their elections down.
const groupTimeout = 60 * time.Second

// group is several servers that belong together.
type group struct {
	t     testing.TB
	nodes []*Server
}

// Nodes are all that keep data, in the order in which they were started, whether they run or not.
func (g *group) Nodes() []*Server { return g.nodes }

// running are those that can be asked.
func (g *group) running() []*Server {
	var running []*Server
	for _, s := range g.nodes {
		if s.Running() {
			running = append(running, s)
		}
	}
	return running
}

// at is the server at a port of this machine.
func (g *group) at(port string) *Server {
	for _, s := range g.nodes {
		if s.listensOn(port) {
			return s
		}
	}
	return nil
}

// await polls until holds, and fails the test when that does not come.
func (g *group) await(what string, holds func() bool) {
	g.t.Helper()
	for deadline := time.Now().Add(groupTimeout); !holds(); <-time.After(pollInterval) {
		if time.Now().After(deadline) {
			g.t.Fatalf("%s: not so after %v", what, groupTimeout)
		}
	}
}

// do asks s what must have an answer.
func (g *group) do(s *Server, args ...string) []string {
	g.t.Helper()
	answer, err := s.ask(args...)
	if err != nil {
		g.t.Fatalf("%s at %s: %v", strings.Join(args, " "), s.Addr(), err)
	}
	return answer
}

// facts is what a server says of itself in a section of INFO, or in CLUSTER INFO; nothing when it does not answer.
func facts(s *Server, args ...string) map[string]string {
	text, err := s.Do(args...)
	if err != nil {
		return nil
	}
	facts := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
			facts[name] = value
		}
	}
	return facts
}

// follows reports whether both sides say that replica has its copy and is told of everything new.
func follows(replica, master *Server) bool {
	f := facts(replica, "INFO", "replication")
	if f["role"] != "slave" || master == nil || !master.listensOn(f["master_port"]) || f["master_link_status"] != "up" {
		return false
	}
	for name, value := range facts(master, "INFO", "replication") {
		_, rest, _ := strings.Cut(value, "port=")
		port, rest, _ := strings.Cut(rest, ",")
		if strings.HasPrefix(name, "slave") && replica.listensOn(port) && strings.HasPrefix(rest, "state=online,") {
			return true
		}
	}
	return false
}

// has reports whether replica has carried out all that its master had written at an offset.
func has(replica *Server, offset string) bool {
	return number(facts(replica, "INFO", "replication")["slave_repl_offset"]) >= number(offset)
}

// AwaitCopies waits until the running replicas of master have all that it holds now.
func (g *group) AwaitCopies(master *Server) {
	g.t.Helper()
	offset := facts(master, "INFO", "replication")["master_repl_offset"]
	for _, s := range g.running() {
		if master.listensOn(facts(s, "INFO", "replication")["master_port"]) {
			g.await("a replica has what its master has", func() bool { return has(s, offset) })
		}
	}
}
