package server

import (
	"context"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/store"
)

// Prepare writes into the store what every server finds there, and opens the server to all requests. Until it has
// succeeded the server tells that it lives, is not ready and what it is, and turns everything else away for a while. It
// is called once more when the store could not be reached.
func (s *Server) Prepare(ctx context.Context) error {
	var err error
	if s.api, err = s.resources.Ensure(ctx, apiDefinition(s.issuer)); err != nil {
		return fmt.Errorf("write the built-in API: %w", err)
	}
	if s.identity, err = s.resources.Ensure(ctx, identityDefinition(s.issuer)); err != nil {
		return fmt.Errorf("write the built-in scopes of OpenID Connect: %w", err)
	}
	engine, err := s.newEngine()
	if err != nil {
		return err
	}
	if s.demo {
		if err := s.mountDemo(ctx, engine); err != nil {
			return fmt.Errorf("set up the demo API: %w", err)
		}
	}
	s.engine.Store(engine)
	return nil
}

// Handler answers requests from the network.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if engine := s.engine.Load(); engine != nil {
		engine.ServeHTTP(w, r)
		return
	}
	s.waiting.ServeHTTP(w, r)
}

// newWaitingEngine serves what needs no store.
func (s *Server) newWaitingEngine() (*gin.Engine, error) {
	engine, err := s.newBareEngine()
	if err != nil {
		return nil, err
	}
	later := func(c *gin.Context) { s.fail(c, fmt.Errorf("the store was not reached yet: %w", store.ErrUnavailable)) }
	engine.NoRoute(later)
	engine.NoMethod(later)
	for path, handler := range map[string]gin.HandlerFunc{
		livePath: s.live, readyPath: s.ready, metadataPath: s.discover, discoveryPath: s.discover,
	} {
		engine.GET(path, handler)
	}
	return engine, nil
}
