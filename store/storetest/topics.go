package storetest

import (
	"context"
	"fmt"

	"github.com/safeconduct/safeconduct/store"
)

func topicTests() []test {
	return []test{
		{"Publish wakes every subscriber of the topic", topicWakes},
		{"Publish wakes subscribers of other handles", topicOtherHandle},
		{"Publish does not wake subscribers of other topics", topicOthers},
		{"a slow subscriber holds nobody up", topicSlow},
		{"a subscription ends with its context", topicContext},
		{"a subscription ends when the store is closed", topicClose},
	}
}

func (b *bed) subscribe(ctx context.Context, s store.Store, topic string) <-chan struct{} {
	b.Helper()
	wake, err := s.Subscribe(ctx, topic)
	b.ok(err)
	return wake
}

// wakes publishes until the subscriber has been woken: a single wake-up may be lost.
func (b *bed) wakes(s store.Store, topic string, wake <-chan struct{}) {
	b.Helper()
	b.eventually("a subscriber of "+topic+" wakes", func() bool {
		b.ok(s.Publish(b.ctx(), topic))
		select {
		case _, open := <-wake:
			if !open {
				b.Fatalf("the subscription of %q has ended", topic)
			}
			return true
		default:
			return false
		}
	})
}

// ends checks that the channel is closed soon. What was published before may still lie in it.
func (b *bed) ends(what string, wake <-chan struct{}) {
	b.Helper()
	b.eventually(what, func() bool {
		select {
		case _, open := <-wake:
			return !open
		default:
			return false
		}
	})
}

func topicWakes(b *bed) {
	s := b.open()
	b.ok(s.Publish(b.ctx(), "nobody listens"))
	one, two := b.subscribe(b.ctx(), s, "topic"), b.subscribe(b.ctx(), s, "topic")
	for range 3 {
		b.wakes(s, "topic", one)
		b.wakes(s, "topic", two)
	}
	for _, topic := range awkward() {
		b.wakes(s, topic, b.subscribe(b.ctx(), s, topic))
	}
}

func topicOtherHandle(b *bed) {
	if b.engine.Exclusive {
		return // There is no other handle to wake.
	}
	here, there := b.open(), b.open()
	b.wakes(here, "topic", b.subscribe(b.ctx(), there, "topic"))
	b.wakes(there, "topic", b.subscribe(b.ctx(), here, "topic"))
}

func topicOthers(b *bed) {
	s := b.open()
	quiet := b.subscribe(b.ctx(), s, "quiet")
	b.wakes(s, "loud", b.subscribe(b.ctx(), s, "loud"))
	select {
	case <-quiet:
		b.Error("a subscriber of another topic was woken")
	default:
	}
	b.wakes(s, "quiet", quiet)
}

func topicSlow(b *bed) {
	s := b.open()
	slow := b.subscribe(b.ctx(), s, "topic")
	for range 200 {
		b.ok(s.Publish(b.ctx(), "topic"))
	}
	b.wakes(s, "topic", b.subscribe(b.ctx(), s, "topic"))
	b.wakes(s, "topic", slow)
}

func topicContext(b *bed) {
	s := b.open()
	ctx, cancel := context.WithCancel(b.ctx())
	ending, staying := b.subscribe(ctx, s, "topic"), b.subscribe(b.ctx(), s, "topic")
	b.wakes(s, "topic", ending)
	cancel()
	b.ends("the channel closes when its context ends", ending)
	b.wakes(s, "topic", staying)

	_, err := s.Subscribe(ctx, "topic")
	b.fails("Subscribe with an ended context", err, context.Canceled)
}

func topicClose(b *bed) {
	s := b.open()
	var channels []<-chan struct{}
	for i := range 3 {
		channels = append(channels, b.subscribe(b.ctx(), s, fmt.Sprint("topic ", i)))
	}
	b.wakes(s, "topic 0", channels[0])
	b.ok(s.Close())
	for i, wake := range channels {
		b.ends(fmt.Sprintf("channel %d closes with the store", i), wake)
	}
}
