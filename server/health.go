package server

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
)

const (
	livePath  = "/livez"
	readyPath = "/readyz"
	// probeEvery is how often readiness is found out; the handler only reads the result.
	probeEvery = time.Second
)

func isHealthPath(path string) bool { return path == livePath || path == readyPath }

// health is what load balancers are told.
type health struct {
	storeDown atomic.Bool
	draining  atomic.Bool
}

// live answers as long as the process does. It never looks at the store: a restart would not mend it.
func (s *Server) live(c *gin.Context) {
	respond(c, http.StatusOK, jsonMedia, []byte(`{"status":"ok"}`))
}

// ready says whether requests should be sent here.
func (s *Server) ready(c *gin.Context) {
	switch {
	case s.health.draining.Load():
		s.notReady(c, "stopping")
	case s.health.storeDown.Load() || s.engine.Load() == nil:
		s.notReady(c, "the store cannot be reached")
	default:
		respond(c, http.StatusOK, jsonMedia, []byte(`{"status":"ok"}`))
	}
}

func (s *Server) notReady(c *gin.Context, why string) {
	c.Header("Retry-After", "1")
	writeJSON(c, http.StatusServiceUnavailable, map[string]string{"status": "unavailable", "reason": why})
}

// probe finds out once whether the store can serve.
func (s *Server) probe(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, probeEvery)
	defer cancel()
	err := s.store.Ping(ctx)
	if down := err != nil; s.health.storeDown.Swap(down) != down {
		if down {
			s.log.ErrorContext(ctx, "the store cannot be reached", "error", err)
		} else {
			s.log.InfoContext(ctx, "the store can be reached again")
		}
	}
}

// watch keeps the readiness up to date until ctx ends.
func (s *Server) watch(ctx context.Context) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		s.probe(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
