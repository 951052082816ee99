package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/go-redis/redis/v8"
)

// switchTopic is where a sentinel tells of a new master.
const switchTopic = "+switch-master"

// sentinels know which node is the master now.
type sentinels struct {
	terms   *terms
	master  string // what they call it
	clients []*redis.SentinelClient
	hosts   []string
}

func (t *terms) newSentinels(username, password string) *sentinels {
	s := &sentinels{terms: t, master: t.address.master, hosts: t.address.hosts}
	for _, host := range s.hosts {
		s.clients = append(s.clients, redis.NewSentinelClient(&redis.Options{
			Addr: host, Username: username, Password: password, MaxRetries: -1, PoolSize: 2,
			DialTimeout: t.patience.answer, ReadTimeout: t.patience.answer, WriteTimeout: t.patience.answer, PoolTimeout: t.patience.pool,
			Dialer: func(parent context.Context, _, addr string) (net.Conn, error) {
				ctx, cancel := t.untilDialed(parent)
				defer cancel()
				return t.connect(ctx, addr)
			},
		}))
	}
	return s
}

// locate asks all sentinels at once where the master is. It believes the first address on which most of them agree, or
// else the one that most of those that answer give: one that was cut off from the others may still name a master that
// has been replaced.
func (s *sentinels) locate(ctx context.Context) (string, error) {
	type answer struct {
		host string
		err  error
	}
	answers := make(chan answer, len(s.clients))
	for i := range s.clients {
		go func() {
			host, err := s.ask(ctx, i)
			answers <- answer{host, err}
		}()
	}
	votes := map[string]int{}
	best := ""
	var errs []error
	for range s.clients {
		a := <-answers
		if a.err != nil {
			errs = append(errs, a.err)
			continue
		}
		votes[a.host]++
		if votes[a.host] > votes[best] {
			best = a.host
		}
		if votes[best] > len(s.clients)/2 {
			break
		}
	}
	if best != "" {
		return best, nil
	}
	return "", s.failure(errs)
}

// ask asks one sentinel.
func (s *sentinels) ask(ctx context.Context, i int) (string, error) {
	limited, cancel := context.WithTimeout(ctx, s.terms.patience.answer)
	defer cancel()
	deadline, _ := limited.Deadline()
	answer, err := s.clients[i].GetMasterAddrByName(batchContext{s.terms.base, deadline}, s.master).Result()
	switch {
	case errors.Is(err, redis.Nil) || err == nil && len(answer) != 2:
		return "", refuse("the sentinel at %s knows no master %q: correct the name in the URL", s.hosts[i], s.master)
	case isAnswer(err) && strings.HasPrefix(err.Error(), "ERR unknown command"):
		return "", refuse("the server at %s is no sentinel: write redis:// or redis+cluster://, or give the port of the sentinel", s.hosts[i])
	case err != nil:
		if reason := refusalOf(s.hosts[i], err); reason != nil {
			return "", reason
		}
		return "", fmt.Errorf("ask the sentinel at %s: %w", s.hosts[i], err)
	}
	return net.JoinHostPort(answer[0], answer[1]), nil
}

// failure is the error for sentinels none of which named a master. It is a refusal only if all of them that answered
// have refused: what cannot be reached now may know better.
func (s *sentinels) failure(errs []error) error {
	for _, err := range errs {
		if _, refused := errors.AsType[*refusal](err); !refused {
			return &dialError{err}
		}
	}
	return errs[0]
}

// watch follows what a sentinel tells until ctx ends. Connections to a master that was replaced are given up at once:
// it would go on answering until somebody tells it.
func (s *sentinels) watch(ctx context.Context, i int, n *node) {
	wake := make(chan struct{}, 1)
	sub := &subscription{
		terms: s.terms, channel: switchTopic, wake: wake, begun: make(chan error, 1), patient: true,
		find: func(context.Context) (broadcaster, error) { return s.clients[i], nil },
	}
	go sub.run(ctx)
	for range wake {
		if host, err := s.locate(ctx); err == nil && host != n.name() {
			n.generation.Add(1)
		}
	}
}

func (s *sentinels) close() {
	for _, client := range s.clients {
		_ = client.Close()
	}
}
