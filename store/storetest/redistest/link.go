package redistest

import (
	"bufio"
	"net"
	"sync"
	"time"
)

// link is one connection through the proxy.
type link struct {
	proxy          *Proxy
	client, server net.Conn
	once           sync.Once
	closed         chan struct{}

	mu      sync.Mutex
	waiting []verdict // one for each command whose reply is still to come
}

// verdict is what shall happen to one reply.
type verdict struct {
	lost bool
	loss Loss
}

// delayed is a reply on its way to the client.
type delayed struct {
	frame []byte
	due   time.Time
}

// depth is how many delayed replies one connection holds.
const depth = 1 << 12

func newLink(p *Proxy, client, server net.Conn) *link {
	return &link{proxy: p, client: client, server: server, closed: make(chan struct{})}
}

func (l *link) run() {
	replies := make(chan delayed, depth)
	go l.commands()
	go l.replies(replies)
	go l.deliver(replies)
}

func (l *link) close() {
	l.once.Do(func() {
		close(l.closed)
		_ = l.client.Close()
		_ = l.server.Close()
	})
}

func (l *link) end() {
	l.close()
	l.proxy.forget(l)
}

// commands takes what the client says to the server.
func (l *link) commands() {
	defer l.end()
	from := bufio.NewReader(l.client)
	for {
		frame, err := readFrame(from)
		if err != nil {
			return
		}
		if _, hole := l.proxy.mood(); hole {
			continue
		}
		lost, loss := l.proxy.fate(elements(frame))
		l.mu.Lock()
		l.waiting = append(l.waiting, verdict{lost, loss})
		l.mu.Unlock()
		if _, err := l.server.Write(frame); err != nil {
			return
		}
	}
}

// replies reads what the server says and decides what becomes of it.
func (l *link) replies(out chan<- delayed) {
	defer l.end()
	defer close(out)
	from := bufio.NewReader(l.server)
	silent := false
	for {
		frame, err := readFrame(from)
		if err != nil {
			return
		}
		v := l.next()
		if v.lost {
			l.proxy.countDrop()
			if v.loss == Close {
				return
			}
			silent = true
		}
		delay, hole := l.proxy.mood()
		if silent || hole {
			continue
		}
		out <- delayed{frame: l.proxy.rewritten(frame), due: time.Now().Add(delay)}
	}
}

// next is the verdict on the reply that came. Messages of a subscription answer no command and pass.
func (l *link) next() verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		return verdict{}
	}
	v := l.waiting[0]
	l.waiting = l.waiting[1:]
	return v
}

// deliver gives the client its replies when they are due. It reads on after an error, so that replies does not block.
func (l *link) deliver(in <-chan delayed) {
	for reply := range in {
		if wait := time.Until(reply.due); wait > 0 {
			select {
			case <-time.After(wait):
			case <-l.closed:
			}
		}
		if _, err := l.client.Write(reply.frame); err != nil {
			l.close()
		}
	}
}
