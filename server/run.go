package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// The limits of a connection: net/http sets none by itself.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 60 * time.Second
	maxHeaderBytes    = 16 << 10
	// drainAtMost bounds how long requests that are under way are waited for.
	drainAtMost = 20 * time.Second
	// keysEvery is how often the signing keys are looked after.
	keysEvery = time.Minute
)

// GCPercent is the garbage collector's target (runtime/debug.SetGCPercent) for a process that is a server and nothing
// else. It is the program's to set: it holds for the whole process.
const GCPercent = 400

// HashesBeside is for users.Hasher.TellBusy, in a process that is a server and nothing else. A hash keeps one of Go's
// processors for 20 ms. While hashes are under way there is one more for each, so that those of the requests stay free; the
// kernel divides the cores, and lets a thread that was waiting for the network go before one that has had its share. And
// each hash leaves 19 MiB behind, of which GCPercent would let pile up a multiple. After the first hash Go no longer follows
// a limit of the cores that changes while the process runs.
func HashesBeside(workers int) func(busy bool) {
	const careful = 100
	var cores, percent int
	return func(busy bool) {
		if !busy {
			runtime.GOMAXPROCS(cores)
			debug.SetGCPercent(percent)
			return
		}
		cores = runtime.GOMAXPROCS(0)
		runtime.GOMAXPROCS(cores + workers)
		if percent = debug.SetGCPercent(careful); percent < careful {
			debug.SetGCPercent(percent) // the operator wants it so, or never
		}
	}
}

// Watch keeps the server's memory honest: it follows what other processes change and how the store does. It returns
// when ctx ends. Serve runs it; who calls Handler without Serve runs it beside.
func (s *Server) Watch(ctx context.Context) {
	var wait sync.WaitGroup
	wait.Go(func() { _ = s.changes.Run(ctx) })
	wait.Go(func() { s.watch(ctx) })
	wait.Go(func() { s.notify(ctx) })
	wait.Go(func() { s.keepKeys(ctx) })
	wait.Go(func() { s.feed.run(ctx) })
	wait.Wait()
}

// Serve answers requests on public, and those of the operator on local if it is not nil, until ctx ends. It then stops
// being ready, goes on serving for the drain delay, lets the requests under way finish and returns nil.
func (s *Server) Serve(ctx context.Context, public, local net.Listener) error {
	watchCtx, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWatching()
	go s.Watch(watchCtx)

	servers := []*http.Server{s.httpServer(s.Handler())}
	listeners := []net.Listener{public}
	if local != nil {
		operator := s.httpServer(s.LocalHandler())
		operator.ConnContext = checkPeer
		servers, listeners = append(servers, operator), append(listeners, local)
	}
	failed := make(chan error, len(servers))
	for i, server := range servers {
		go func() { failed <- server.Serve(listeners[i]) }()
	}
	select {
	case err := <-failed:
		for _, server := range servers {
			_ = server.Close()
		}
		return err
	case <-ctx.Done():
	}
	s.health.draining.Store(true)
	s.log.Info("stopping", "drain_delay", s.drain.String())
	time.Sleep(s.drain)
	close(s.stopping)
	return shutdown(servers)
}

func shutdown(servers []*http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), drainAtMost)
	defer cancel()
	var errs []error
	for _, server := range servers {
		errs = append(errs, server.Shutdown(ctx))
	}
	return errors.Join(errs...)
}

func (s *Server) httpServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		// Else net/http answers OPTIONS * itself, without our headers.
		DisableGeneralOptionsHandler: true,
		// What net/http has to say is about broken connections; it names addresses, never content.
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// keepKeys lets the signing keys follow each other until ctx ends. The first ones are made when somebody first asks for
// them.
func (s *Server) keepKeys(ctx context.Context) {
	tick := time.NewTicker(keysEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if s.engine.Load() == nil {
			continue // nobody knows yet whether the store is ours
		}
		if err := s.signing.Maintain(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "the signing keys could not be looked after", "error", err)
		}
	}
}
