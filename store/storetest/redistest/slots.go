package redistest

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

const slotCount = 16384

// slotRange says on which port the master of some slots listens.
type slotRange struct {
	first, last int
	master      string
}

// member is a node of the cluster as another sees it.
type member struct {
	port   string
	master string   // the identity of the master that it follows, or "-"
	slots  []string // what it holds, such as 0-5460
}

// members are the nodes that s does not take for dead, in the order of their ports; nothing when s does not answer.
func (c *Cluster) members(s *Server) []member {
	text, err := s.Do("CLUSTER", "NODES")
	if err != nil {
		return nil
	}
	var all []member
	for line := range strings.Lines(text) {
		// id address@bus flags master ping pong epoch link slots…
		fields := strings.Fields(line)
		if len(fields) < 8 || slices.Contains(strings.Split(fields[2], ","), "fail") {
			continue
		}
		address, _, _ := strings.Cut(fields[1], "@")
		m := member{port: address[strings.LastIndexByte(address, ':')+1:], master: fields[3]}
		for _, slots := range fields[8:] {
			if !strings.HasPrefix(slots, "[") { // on the way from one node to another
				m.slots = append(m.slots, slots)
			}
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b member) int { return cmp.Compare(a.port, b.port) })
	return all
}

// ranges is who holds which slots as one node sees it, in the order of the slots; nothing when it does not answer.
func (c *Cluster) ranges(s *Server) []slotRange {
	var all []slotRange
	for _, m := range c.members(s) {
		for _, slots := range m.slots {
			first, last, several := strings.Cut(slots, "-")
			if !several {
				last = first
			}
			all = append(all, slotRange{number(first), number(last), m.port})
		}
	}
	slices.SortFunc(all, func(a, b slotRange) int { return cmp.Compare(a.first, b.first) })
	return all
}

// holder is the master that holds a slot, or nil.
func (c *Cluster) holder(slot int) *Server {
	c.t.Helper()
	for _, slots := range c.ranges(c.someone()) {
		if slots.first <= slot && slot <= slots.last {
			return c.at(slots.master)
		}
	}
	return nil
}

// someone is a node that answers.
func (c *Cluster) someone() *Server {
	c.t.Helper()
	running := c.running()
	if len(running) == 0 {
		c.t.Fatal("no node of the cluster runs")
	}
	return running[0]
}

// BeginMove does the first half of the move of a slot, as resharding does: the old master still holds the slot and its keys, but sends who asks for any
// other key to the new one (ASK).
func (c *Cluster) BeginMove(slot string, to *Server) {
	c.t.Helper()
	from := c.holder(number(slot))
	c.do(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", c.id(from))
	c.do(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", c.id(to))
}

// FinishMove moves the keys and gives the slot to the new master.
func (c *Cluster) FinishMove(slot string, to *Server) {
	c.t.Helper()
	from := c.holder(number(slot))
	password := from.option("--requirepass")
	for {
		keys := c.do(from, "CLUSTER", "GETKEYSINSLOT", slot, "100")
		if len(keys) == 0 {
			break
		}
		command := []string{"MIGRATE", "127.0.0.1", to.port, "", "0", "5000"}
		if password != "" {
			command = append(command, "AUTH", password)
		}
		c.do(from, slices.Concat(command, []string{"KEYS"}, keys)...)
	}
	for _, s := range slices.Concat([]*Server{to, from}, c.Masters()) {
		c.do(s, "CLUSTER", "SETSLOT", slot, "NODE", c.id(to))
	}
}

func (c *Cluster) id(s *Server) string { c.t.Helper(); return c.do(s, "CLUSTER", "MYID")[0] }

func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}
