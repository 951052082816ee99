package main

import (
	"bytes"
	"os"
	"time"
)

// breath is how long a process gets to give back what it took.
const breath = 10 * time.Second

// noLeaks holds what a node takes of the machine against what it took before the fault: I7.
func (s *scene) noLeaks(n *node, before footprint) {
	after := s.settle(before, n.footprint)
	s.figure("RSS %d → %d MiB, sockets %d → %d", before.rss>>20, after.rss>>20, before.sockets, after.sockets)
}

// settle waits until a process takes no more than before, and tells what it still has otherwise.
func (s *scene) settle(before footprint, measure func() footprint) footprint {
	for deadline := time.Now().Add(breath); ; s.sleep(250 * time.Millisecond) {
		after := measure()
		// The data file grows with what is in it, and shrinks never; what it should weigh is another failure's matter.
		after.file = before.file
		// Memory that the collector has not looked at yet is no leak, but nothing here can make it look.
		found := after.leaks(before)
		if len(found) > 0 && time.Now().Before(deadline) {
			continue
		}
		for _, v := range found {
			s.Errorf("%v", v)
		}
		return after
	}
}

// audited counts the audit events of a kind in a node's log.
func (s *scene) audited(n *node, event string) int {
	text, err := os.ReadFile(n.process.log)
	s.must(err)
	return bytes.Count(text, []byte(`"event":"`+event+`"`))
}

// knowsMachine reports whether a node gives the machine a token.
func (n *node) knowsMachine() bool {
	l, err := newLedger(n.in.s.TempDir() + "/ledger")
	n.in.s.must(err)
	defer l.file.Close()
	return n.in.newParty(l, "", credential{}, n.to).issue(0).Access != ""
}
