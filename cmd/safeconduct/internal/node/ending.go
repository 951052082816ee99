package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/users"
)

const (
	endingPage = 200
	// endingAtOnce is how many are ended at once: they share round trips, or the waiting for the disk.
	endingAtOnce = 64
)

// registries are the registries of a store that no server has open.
type registries struct {
	users     *users.Registry
	clients   *clients.Registry
	resources *resources.Registry
	ender     grants.Ender
}

func registriesOf(records store.Store) registries {
	changes := store.NewChanges(records)
	ender := grants.NewEnder(records)
	return registries{
		// Nobody logs in here, so the hasher has nothing to do.
		users:   users.New(users.Config{Store: records, Changes: changes, Grants: ender, Hasher: users.NewHasher(users.Params{}, 1, 0)}),
		clients: clients.New(records, changes), resources: resources.New(records, changes), ender: ender,
	}
}

// Mend makes good what a backup can lack that does not show one moment: names that point to nobody.
func Mend(ctx context.Context, records store.Store) error {
	r := registriesOf(records)
	return errors.Join(r.users.Mend(ctx), r.clients.Mend(ctx), r.resources.Mend(ctx))
}

// EndSessions ends everything that was granted, in the name of every user and to every client: sessions, tokens, codes and API keys.
// It raises their epochs, so that it also ends what no index names, and tells those who verify signed tokens without asking.
// Of what was signed in the time that is undone nobody knows any more: the signing keys go too. told is called with how many users and
// clients are done.
func EndSessions(ctx context.Context, records store.Store, told func(done int)) error {
	r := registriesOf(records)
	r.clients.TellEnds(func(ctx context.Context, client *clients.Client) error {
		return r.ender.EndEpoch(ctx, grants.ClientEpoch{Client: client.Number, Number: client.Epoch}, nil, resources.AccessLifetimeMax)
	})
	done := &atomic.Int64{}
	err := endAll(ctx, done, told, "",
		func(after string) ([]*clients.Client, error) { return r.clients.List(ctx, after, endingPage) },
		func(c *clients.Client) string { return c.ID },
		func(ctx context.Context, c *clients.Client) error { return r.clients.EndGrants(ctx, c.ID) })
	if err != nil {
		return fmt.Errorf("end what was granted to the clients: %w", err)
	}
	err = endAll(ctx, done, told, uuid.Nil,
		func(after uuid.UUID) ([]*users.User, error) { return r.users.List(ctx, after, endingPage) },
		func(u *users.User) uuid.UUID { return u.ID },
		func(ctx context.Context, u *users.User) error { return r.users.EndSessions(ctx, u.ID) })
	if err != nil {
		return fmt.Errorf("end the sessions of the users: %w", err)
	}
	return keys.DropSigning(ctx, records)
}

// endAll ends a listing page by page, many at once.
func endAll[T, ID any](ctx context.Context, done *atomic.Int64, told func(int), first ID, list func(after ID) ([]T, error),
	id func(T) ID, end func(context.Context, T) error) error {
	for after := first; ; {
		page, err := list(after)
		if err != nil {
			return err
		}
		errs := make([]error, len(page))
		free := make(chan struct{}, endingAtOnce)
		var wait sync.WaitGroup
		for i, one := range page {
			free <- struct{}{}
			wait.Go(func() {
				errs[i] = end(ctx, one)
				done.Add(1)
				<-free
			})
		}
		wait.Wait()
		told(int(done.Load()))
		if err := errors.Join(errs...); err != nil {
			return err
		}
		if len(page) < endingPage {
			return nil
		}
		after = id(page[len(page)-1])
	}
}
