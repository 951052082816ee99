package redis

import (
	"time"

	"github.com/go-redis/redis/v8"
)

// call is one command on its way to a node and back.
type call struct {
	cmd      redis.Cmder
	key      string           // decides which node of a cluster carries the call out
	lasting  bool             // a replica must have it before it counts as done
	asking   bool             // the node that holds the key has sent the call to the one that is about to
	source   string           // of the script that cmd names by its hash
	creates  bool             // the call may write the first key of all, so the marker must be there
	repeated func(args []any) // tells the command that this is a repetition

	// The rest belongs to the queue.
	progress progress
	queued   time.Time     // for the first time
	turn     chan struct{} // receives when the call was carried out, or shall lead
}

// progress is where a call in the queue stands. It changes under the queue's lock.
type progress int

const (
	waiting   progress = iota
	leading            // handed a flusher, out of the queue
	carried            // in a batch that another leads, or done
	abandoned          // its caller has gone
)

// wake tells the caller that it is its turn. A call is woken at most once as a leader and once when done, and never
// both without its having read the first, so the channel has room.
func (c *call) wake() {
	if c.turn != nil {
		c.turn <- struct{}{}
	}
}

// answered reports whether the answer had come before the connection broke: go-redis puts the error of the break on
// those commands, too. Only scripts are looked at; the other commands do no harm when they are repeated.
func (c *call) answered() bool {
	script, ok := c.cmd.(*redis.Cmd)
	// A string that broke off is an empty one. No script answers with that.
	return ok && script.Val() != nil && script.Val() != ""
}

// repeat makes the call ready to be sent again.
func (c *call) repeat() {
	c.cmd.SetErr(nil)
	if c.repeated != nil {
		c.repeated(c.cmd.Args())
	}
}

// spellOut replaces the hash of the call's script by its source, which Redis then keeps.
func (c *call) spellOut() {
	args := c.cmd.Args()
	args[0], args[1] = "eval", c.source
	c.cmd.SetErr(nil)
	c.source = ""
}

// integer is the answer of a script that gives a number.
func (c *call) integer() int64 {
	n, _ := c.cmd.(*redis.Cmd).Int64()
	return n
}

// text is the answer of a script that gives a string.
func (c *call) text() string {
	text, _ := c.cmd.(*redis.Cmd).Text()
	return text
}

// page is the answer of the script that lists an index.
func (c *call) page() (seen int, last string, members []string) {
	answer, _ := c.cmd.(*redis.Cmd).Val().([]any)
	if len(answer) != 3 {
		return 0, "", nil
	}
	count, _ := answer[0].(int64)
	last, _ = answer[1].(string)
	list, _ := answer[2].([]any)
	for _, member := range list {
		if text, ok := member.(string); ok && len(text) >= memberTail {
			members = append(members, text)
		}
	}
	return int(count), last, members
}
