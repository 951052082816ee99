package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"
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

// dial makes a connection to the node, wherever that is now.
func (n *node) dial(parent context.Context, _, _ string) (net.Conn, error) {
	ctx, cancel := n.terms.untilDialed(parent)
	defer cancel()
	born := n.generation.Load()
	host := n.host
	if n.locate != nil {
		var err error
		if host, err = n.locate(ctx); err != nil {
			return nil, err
		}
	}
	if *n.at.Load() != host {
		n.at.Store(&host)
	}
	raw, err := n.terms.connect(ctx, host)
	if err != nil {
		return nil, err
	}
	return &connection{Conn: raw, born: born, generation: &n.generation}, nil
}

// untilDialed bounds a dial. The context of a batch has a deadline that does not cancel, so it is made one that does.
func (t *terms) untilDialed(parent context.Context) (context.Context, context.CancelFunc) {
	deadline := time.Now().Add(t.patience.dial)
	if limit, ok := parent.Deadline(); ok && limit.Before(deadline) {
		deadline = limit
	}
	return context.WithDeadline(context.Background(), deadline)
}

// connect opens a connection to host, with TLS if the URL says so.
func (t *terms) connect(ctx context.Context, host string) (net.Conn, error) {
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, &dialError{err}
	}
	settings := t.address.tlsTo(host)
	if settings == nil {
		return raw, nil
	}
	secured := tls.Client(raw, settings)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		if reason := refusedTLS(host, err); reason != nil {
			return nil, reason
		}
		// A Redis without TLS takes the hello for the beginning of a command, and waits for the rest.
		return nil, &dialError{fmt.Errorf("TLS handshake with %s, which may not speak TLS there: %w", host, err)}
	}
	return secured, nil
}
