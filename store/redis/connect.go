package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/go-redis/redis/v8"
)

// How long Redis may take. A local one answers in a fraction of a millisecond.
const (
	dialTimeout  = time.Second
	readTimeout  = 500 * time.Millisecond
	writeTimeout = 500 * time.Millisecond
	poolTimeout  = 250 * time.Millisecond
)

// errSuspect is what a connection says that is older than the last break. Nothing was sent on it.
var errSuspect = errors.New("connection given up")

// dialError tells the failure to connect from the failure of a connection.
type dialError struct{ cause error }

func (e *dialError) Error() string { return e.cause.Error() }

// connection is one to Redis. go-redis does not look whether a pooled connection still lives before it uses it, and
// what breaks one mostly breaks all, so a repetition must not draw another dead one from the pool.
type connection struct {
	net.Conn
	born       uint64
	generation *atomic.Uint64
}

// SetWriteDeadline is the first thing that go-redis does with a connection from the pool.
func (c *connection) SetWriteDeadline(t time.Time) error {
	if c.born != c.generation.Load() {
		return errSuspect
	}
	return c.Conn.SetWriteDeadline(t)
}

// newNode prepares the connections to the node at a, and makes none yet.
func newNode(a address, marker string, clock *clock, logger *slog.Logger) *node {
	n := &node{host: a.host, marker: marker, clock: clock, logger: logger, base: withLogger(logger)}
	n.client = redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs:    []string{a.host},
		DB:       a.database,
		Username: a.username,
		Password: a.password,

		Dialer:    n.dialer(a.tls),
		OnConnect: n.welcome,

		// The store repeats by itself, once, and says so to the scripts.
		MaxRetries: -1,

		DialTimeout:  dialTimeout,
		ReadTimeout:  readTimeout,
		WriteTimeout: writeTimeout,
		PoolTimeout:  poolTimeout,
		PoolSize:     a.poolSize, // zero is 10 for each core
	})
	return n
}

func (n *node) dialer(settings *tls.Config) func(context.Context, string, string) (net.Conn, error) {
	return func(parent context.Context, network, addr string) (net.Conn, error) {
		// The context of a batch has a deadline that does not cancel, so it is made one that does.
		deadline := time.Now().Add(dialTimeout)
		if limit, ok := parent.Deadline(); ok && limit.Before(deadline) {
			deadline = limit
		}
		ctx, cancel := context.WithDeadline(context.Background(), deadline)
		defer cancel()

		born := n.generation.Load()
		raw, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, &dialError{err}
		}
		if settings != nil {
			secured := tls.Client(raw, settings)
			if err := secured.HandshakeContext(ctx); err != nil {
				_ = raw.Close()
				if reason := refusedTLS(n.host, err); reason != nil {
					return nil, reason
				}
				// A Redis without TLS takes the hello for the beginning of a command, and waits for the rest.
				return nil, &dialError{fmt.Errorf("TLS handshake with %s, which may not speak TLS there: %w", n.host, err)}
			}
			raw = secured
		}
		return &connection{Conn: raw, born: born, generation: &n.generation}, nil
	}
}
