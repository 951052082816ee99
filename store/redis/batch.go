package redis

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/go-redis/redis/v8"
)

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
func (n *node) run(calls []*call, oldest time.Time, lasting bool) {
	deadline := time.Now().Add(n.terms.patience.batch)
	if limit := oldest.Add(n.terms.patience.call); n.troubled.Load() && limit.Before(deadline) {
		deadline = limit
	}
	ctx := batchContext{n.terms.base, deadline}

	repeated := false
	for pending := calls; len(pending) > 0; {
		n.send(ctx, pending, lasting)
		var again []*call
		broken := false
		for _, c := range pending {
			switch err := c.cmd.Err(); {
			case err == nil || errors.Is(err, redis.Nil):
			case mayHaveRun(err):
				broken = true
				if c.answered() && !lasting {
					c.cmd.SetErr(nil)
				} else if !repeated {
					c.repeat()
					again = append(again, c)
				}
			case strings.HasPrefix(err.Error(), "NOSCRIPT ") && c.source != "":
				c.spellOut()
				again = append(again, c)
			case strings.Contains(err.Error(), "READONLY "):
				// The master has become a replica, whose reads are stale too. New connections find that out, or another.
				broken = true
				if !repeated {
					c.repeat()
					again = append(again, c)
				}
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
func (n *node) send(ctx context.Context, calls []*call, lasting bool) {
	for {
		n.sendOnce(ctx, calls, lasting)
		if err := calls[0].cmd.Err(); !errors.Is(err, errSuspect) {
			return
		}
		for _, c := range calls {
			c.cmd.SetErr(nil)
		}
	}
}

// sendOnce sends the commands, and leaves in each of them its answer or its error.
func (n *node) sendOnce(ctx context.Context, calls []*call, lasting bool) {
	if len(calls) == 1 && !lasting && !calls[0].asking {
		_ = n.client.Process(ctx, calls[0].cmd)
		return
	}
	pipeline := n.client.Pipeline()
	for _, c := range calls {
		if c.asking {
			_ = pipeline.Process(ctx, redis.NewStatusCmd(ctx, "asking"))
		}
		_ = pipeline.Process(ctx, c.cmd)
	}
	if !lasting {
		_, _ = pipeline.Exec(ctx)
		return
	}
	wait := n.waitCommand(ctx)
	_ = pipeline.Process(ctx, wait)
	_, _ = pipeline.Exec(ctx)
	n.settle(wait, calls)
}
