package redis

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/go-redis/redis/v8"
)

// batchTimeout bounds one batch with its repetition. It is longer than two time-outs of a read.
const batchTimeout = 1250 * time.Millisecond

var errNoAnswer = errors.New("no answer")

// batchContext gives a batch a deadline and nothing else of a context's. A batch must not run under the context of one
// of its callers, whose hanging up would fail the others; and go-redis starts a goroutine for every command whose
// context can be cancelled, while a deadline it gives to the socket.
type batchContext struct {
	context.Context
	deadline time.Time
}

func (c batchContext) Deadline() (time.Time, bool) { return c.deadline, true }

// run carries the calls out. What got no answer is sent once more on a fresh connection: every command may be
// carried out twice, by its write id or by its nature. A script that Redis does not know is sent with its source.
func (n *node) run(calls []*call, oldest time.Time) {
	deadline := time.Now().Add(batchTimeout)
	if limit := oldest.Add(callTimeout); n.troubled.Load() && limit.Before(deadline) {
		deadline = limit
	}
	ctx := batchContext{n.base, deadline}

	repeated := false
	for pending := calls; len(pending) > 0; {
		n.send(ctx, pending)
		var again []*call
		broken := false
		for _, c := range pending {
			switch err := c.cmd.Err(); {
			case err == nil || errors.Is(err, redis.Nil):
			case mayHaveRun(err):
				broken = true
				if c.answered() {
					c.cmd.SetErr(nil)
				} else if !repeated {
					c.repeat()
					again = append(again, c)
				}
			case strings.HasPrefix(err.Error(), "NOSCRIPT ") && c.source != "":
				c.spellOut()
				again = append(again, c)
			case strings.Contains(err.Error(), "READONLY "):
				// The master has become a replica, whose reads are stale too. New connections will find that out.
				n.generation.Add(1)
			}
		}
		if broken {
			n.generation.Add(1)
			repeated = true
		}
		pending = again
	}
	n.note(calls)
}

// send sends the calls in one pipeline. Connections that are older than the last break fail before anything is sent,
// each once, so it goes on until it meets a younger one.
func (n *node) send(ctx context.Context, calls []*call) {
	for {
		n.sendOnce(ctx, calls)
		if err := calls[0].cmd.Err(); !errors.Is(err, errSuspect) {
			return
		}
		for _, c := range calls {
			c.cmd.SetErr(nil)
		}
	}
}

func (n *node) sendOnce(ctx context.Context, calls []*call) {
	marker := n.missingMarker(ctx, calls)
	n.exec(ctx, marker, calls)
	if marker == nil {
		// Only now it may have turned out that the server has lost its data.
		if marker = n.missingMarker(ctx, calls); marker != nil {
			_ = n.client.Process(ctx, marker)
		}
	}
	if marker != nil && marker.Err() == nil {
		n.marked.Store(true)
	}
}

// exec sends the commands, and leaves in each of them its answer or its error.
func (n *node) exec(ctx context.Context, marker redis.Cmder, calls []*call) {
	if len(calls) == 1 && marker == nil {
		_ = n.client.Process(ctx, calls[0].cmd)
		return
	}
	pipeline := n.client.Pipeline()
	if marker != nil {
		_ = pipeline.Process(ctx, marker)
	}
	for _, c := range calls {
		_ = pipeline.Process(ctx, c.cmd)
	}
	_, _ = pipeline.Exec(ctx)
}

// missingMarker is the command that leaves the marker of Empty, if a call needs it and it is not known to be there.
func (n *node) missingMarker(ctx context.Context, calls []*call) redis.Cmder {
	if n.marked.Load() {
		return nil
	}
	for _, c := range calls {
		if c.creates {
			return redis.NewStatusCmd(ctx, "set", n.marker, "1")
		}
	}
	return nil
}

// note keeps in mind whether the node answers, and logs when that changes.
func (n *node) note(calls []*call) {
	err := calls[len(calls)-1].cmd.Err()
	troubled := err != nil && !isAnswer(err)
	if n.troubled.Load() == troubled || errors.Is(err, redis.ErrClosed) || n.troubled.Swap(troubled) == troubled {
		return
	}
	if troubled {
		n.logger.Warn("redis is unavailable", "address", n.host, "error", plain(err))
	} else {
		n.logger.Info("redis is available again", "address", n.host)
	}
}
