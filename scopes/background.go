package scopes

import (
	"context"
	"sync"
)

// background runs what goes on beside the requests, until it is closed.
type background struct {
	cancel context.CancelFunc
	ctx    context.Context // ends when background is closed

	mu     sync.Mutex
	closed bool
	tasks  sync.WaitGroup
}

func newBackground() *background {
	ctx, cancel := context.WithCancel(context.Background())
	return &background{ctx: ctx, cancel: cancel}
}

// start runs task in a goroutine of its own. It returns false, and runs nothing, when background is closed.
func (b *background) start(task func(ctx context.Context)) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.tasks.Go(func() { task(b.ctx) })
	return true
}

// close ends the tasks and returns when they have ended.
func (b *background) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel()
	b.tasks.Wait()
}
