package redis

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/go-redis/redis/v8"
)

const (
	// quietTime is how long a subscription waits for a message before it asks whether its connection lives.
	quietTime = 2 * time.Second
	// The pause before a broken subscription is taken up again grows from the one to the other.
	minPause, maxPause = 50 * time.Millisecond, time.Second
)

// Publish wakes the subscribers of topic on every handle.
func (s *Store) Publish(ctx context.Context, topic string) error {
	key := s.key(kindTopic, topic)
	return s.do(ctx, "publish", &call{cmd: redis.NewIntCmd(ctx, "publish", key, ""), key: key})
}

// Subscribe returns a channel that receives after each Publish of topic, and after each break of the connection,
// when some may have been missed. It fails when Redis cannot be reached now; later it is taken up again by itself.
func (s *Store) Subscribe(ctx context.Context, topic string) (<-chan struct{}, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	channel := s.key(kindTopic, topic)
	sub := &subscription{
		terms:   s.terms,
		channel: channel,
		find:    func(ctx context.Context) (broadcaster, error) { return s.broadcaster(ctx, channel) },
		wake:    make(chan struct{}, 1),
		begun:   make(chan error, 1),
	}
	if !s.inBackground(ctx, sub.run) {
		return nil, s.unavailable("subscribe", redis.ErrClosed)
	}
	select {
	case err := <-sub.begun:
		if err == nil {
			return sub.wake, nil
		}
		if ctx.Err() == nil {
			return nil, s.unavailable("subscribe", err)
		}
	case <-ctx.Done():
	}
	return nil, ctx.Err()
}

// broadcaster is a server at which one can subscribe.
type broadcaster interface {
	Subscribe(ctx context.Context, channels ...string) *redis.PubSub
}

// broadcaster is where to subscribe to a channel. Every node of a cluster hears of every message; the one that holds the
// slot of the channel's name is the one that is told first.
func (s *Store) broadcaster(ctx context.Context, channel string) (broadcaster, error) {
	n := s.holder(channel)
	if s.cluster != nil && (n == nil || n.troubled.Load()) {
		if err := s.cluster.look(ctx, time.Now()); err != nil {
			return nil, err
		}
		n = s.holder(channel)
	}
	if n == nil {
		return nil, errNoMaster
	}
	return n.client, nil
}

// subscription is one subscriber with a connection of its own.
type subscription struct {
	terms   *terms
	channel string
	find    func(context.Context) (broadcaster, error)
	wake    chan struct{}
	begun   chan error // what became of the first attempt
	patient bool       // goes on although it could not begin
}

// run listens until ctx ends, or only once if it cannot even begin.
func (s *subscription) run(ctx context.Context) {
	defer close(s.wake)
	began, pause := s.patient, minPause
	for {
		err := s.listen(ctx, func() {
			pause = minPause
			if began {
				s.notify()
			} else {
				began = true
				s.begun <- nil
			}
		})
		if !began {
			s.begun <- err
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, maxPause)
	}
}

// listen subscribes on a new connection, says when Redis has confirmed it, and wakes the subscriber until the
// connection breaks or ctx ends.
func (s *subscription) listen(ctx context.Context, confirmed func()) error {
	setUp := batchContext{s.terms.base, time.Now().Add(s.terms.patience.batch)}
	server, err := s.find(setUp)
	if err != nil {
		return err
	}
	connection := server.Subscribe(setUp)
	defer connection.Close()
	defer context.AfterFunc(ctx, func() { _ = connection.Close() })()

	if err := connection.Subscribe(setUp, s.channel); err != nil {
		return err
	}
	asked := false // whether the connection lives
	for {
		message, err := connection.ReceiveTimeout(s.terms.base, quietTime)
		switch timeout, _ := errors.AsType[net.Error](err); {
		case err == nil:
			asked = false
		case timeout == nil || !timeout.Timeout():
			return err
		case asked:
			return errNoAnswer
		default:
			asked = true
			if err := connection.Ping(s.terms.base); err != nil {
				return err
			}
		}
		switch message.(type) {
		case *redis.Subscription:
			confirmed()
		case *redis.Message:
			s.notify()
		}
	}
}

// notify wakes the subscriber. If it has not yet seen the last wake-up, the two become one.
func (s *subscription) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
