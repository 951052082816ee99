package server

import (
	"context"
	"slices"
	"time"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/resources"
)

// clientEnded tells of the end of everything granted to a client in its present epoch, to the resources that may have been
// shown signed tokens of it.
func (s *Server) clientEnded(ctx context.Context, client *clients.Client) error {
	catalogue, err := s.resources.Catalogue(ctx)
	if err != nil {
		return err
	}
	numbers := reachedLately(catalogue, client, s.store.Now().Add(-resources.AccessLifetimeMax))
	if len(numbers) == 0 {
		return nil
	}
	return s.grants.EndEpoch(ctx, grants.ClientEpoch{Client: client.Number, Number: client.Epoch}, numbers, resources.AccessLifetimeMax)
}

// reachedLately are the resources for which tokens of the client may be live that were made since a moment. It goes by
// nothing that may have changed since then: not by the format that a resource wants now, and by the scopes of client and
// resource only if they are what they were. In doubt a resource is told: an epoch says nothing to who has no token of it.
func reachedLately(catalogue *resources.Catalogue, client *clients.Client, since time.Time) []uint32 {
	var numbers []uint32
	for _, r := range catalogue.All() {
		allowed := slices.ContainsFunc(r.Scopes, func(scope resources.Scope) bool { return client.AllowsScope(scope.Name) })
		if allowed || !client.ScopesChanged.Before(since) || !r.ScopesChanged.Before(since) {
			numbers = append(numbers, r.Number)
		}
	}
	return numbers
}
