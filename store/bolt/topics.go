package bolt

import (
	"context"
	"sync"
)

// topics are the subscribers within this process. There are no others: a data file has one process.
type topics struct {
	mu          sync.Mutex
	subscribers map[string]map[chan struct{}]bool
	closed      bool
}

// Publish wakes the subscribers of topic.
func (s *Store) Publish(ctx context.Context, topic string) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	s.topics.mu.Lock()
	defer s.topics.mu.Unlock()
	for wake := range s.topics.subscribers[topic] {
		select {
		case wake <- struct{}{}:
		default: // it has a wake-up waiting already
		}
	}
	return nil
}

// Subscribe returns a channel that is woken by Publish until ctx ends.
func (s *Store) Subscribe(ctx context.Context, topic string) (<-chan struct{}, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	wake := make(chan struct{}, 1)
	if !s.topics.add(topic, wake) {
		return nil, errClosed
	}
	context.AfterFunc(ctx, func() { s.topics.remove(topic, wake) })
	return wake, nil
}

func (t *topics) add(topic string, wake chan struct{}) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	if t.subscribers == nil {
		t.subscribers = map[string]map[chan struct{}]bool{}
	}
	if t.subscribers[topic] == nil {
		t.subscribers[topic] = map[chan struct{}]bool{}
	}
	t.subscribers[topic][wake] = true
	return true
}

func (t *topics) remove(topic string, wake chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.subscribers[topic][wake] {
		return
	}
	delete(t.subscribers[topic], wake)
	if len(t.subscribers[topic]) == 0 {
		delete(t.subscribers, topic)
	}
	close(wake)
}

// close ends all subscriptions.
func (t *topics) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, channels := range t.subscribers {
		for wake := range channels {
			close(wake)
		}
	}
	t.subscribers = nil
}
