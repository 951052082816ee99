// Package node puts a server together as the configuration says: it opens the store, finds the system secrets and wires
// the rooms. It is called by the commands that run a server and by those that work on the data without one. It is the
// only place that names an engine of the store.
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/config"
	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/server"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/users"
)

const (
	// enrollEvery is how often the promise is renewed that this process has the system secrets of the store.
	enrollEvery = 24 * time.Hour
	// enrollSlack is how long the promise reaches beyond the life of anything issued: more than enrollEvery.
	enrollSlack = 48 * time.Hour
	waitEvery   = time.Second
)

// Options say what to put together.
type Options struct {
	Config   *config.Config
	Material *config.Material
	Log      *slog.Logger
	// Create makes a data file, and a system secret for an empty one, where there are none. Only what is to be a server
	// may: a command that mistook the folder would otherwise leave a second, empty installation behind.
	Create bool
	// MayWait lets a server start although its store cannot be reached. It then serves what needs no store, and the rest
	// when the store is there.
	MayWait bool
	// Demo adds the demo API.
	Demo bool
}

// Node is a server with its store.
type Node struct {
	Server *server.Server
	Hasher *users.Hasher // the server's
	store  store.Store
	ring   *keys.Ring
	keep   time.Duration
	log    *slog.Logger
	// waits says that the store could not be reached yet.
	waits bool
}

// Open opens the store, makes sure that the system secrets belong to it, and wires a server. Close the node.
func Open(ctx context.Context, o Options) (*Node, error) {
	if o.Create {
		if err := makeFolder(o.Config.DataDir, o.Log); err != nil {
			return nil, err
		}
	}
	records, secrets, err := openStore(ctx, o)
	if err != nil {
		return nil, err
	}
	n, err := assemble(ctx, o, behindDoor(records, o.Log), secrets)
	if err != nil {
		return nil, errors.Join(err, records.Close())
	}
	return n, nil
}

func assemble(ctx context.Context, o Options, records store.Store, secrets []keys.Secret) (*Node, error) {
	c := o.Config
	ring, err := keys.NewRing(secrets...)
	if err != nil {
		return nil, fmt.Errorf("use the system secrets: %w", err)
	}
	n := &Node{store: records, ring: ring, keep: max(c.Tokens.RefreshMax, grants.KeyLifeMax) + enrollSlack, log: o.Log}
	issuer := c.Issuer
	if !o.Create {
		if issuer, err = storedIssuer(ctx, records, issuer); err != nil {
			return nil, err
		}
	}
	params := users.Params{MemoryKiB: c.Passwords.MemoryKiB, Passes: c.Passwords.Passes}
	n.Hasher = users.NewHasher(params, c.Passwords.Workers, hasherQueue(c.Passwords.Queue))
	n.Server, err = server.New(ctx, server.Config{
		Issuer: issuer, Store: records, Keys: ring, Log: o.Log,
		Lifetimes: server.Lifetimes{Access: c.Tokens.Access, SignedAccess: c.Tokens.JWT, RefreshIdle: c.Tokens.RefreshIdle, RefreshMax: c.Tokens.RefreshMax},
		Hasher:    n.Hasher,

		Sessions:    users.SessionLimits{Idle: c.Sessions.Idle, Max: c.Sessions.Max, Remember: c.Sessions.Remember},
		SigningKeys: server.SigningKeys{Lifetime: c.Keys.RotateEvery, Ahead: c.Keys.PublishAhead},
		Pages:       o.Material.Pages, NotifyNetworks: c.Server.NotifyNetworks, CheckNetworks: c.Server.CheckNetworks,
		TrustedProxies: c.Server.TrustedProxies, AllowedHosts: c.Server.AllowedHosts, DrainDelay: c.Server.DrainDelay,
		WorkDir: o.Config.DataDir, Demo: o.Demo, Unprepared: true,
	})
	if err != nil {
		return nil, err
	}
	err = n.prepare(ctx)
	if n.waits = o.MayWait && errors.Is(err, store.ErrUnavailable); n.waits {
		n.log.Warn("waiting for the store", "error", err)
		return n, nil
	}
	return n, err
}

// prepare makes sure that the store is whole and that the system secrets belong to it, and opens the server.
func (n *Node) prepare(ctx context.Context) error {
	if err := refuseUnfinished(ctx, n.store); err != nil {
		return err
	}
	if err := n.ring.Enroll(ctx, n.store, n.keep); err != nil {
		return err
	}
	return n.Server.Prepare(ctx)
}

// hasherQueue says the queue's length in the hasher's terms, where 0 is the default and less is none.
func hasherQueue(configured int) int {
	switch {
	case configured < 0:
		return 0
	case configured == 0:
		return -1
	}
	return configured
}

// Serve answers requests on both listeners until ctx ends, and lets those under way finish. If it had to wait for the
// store and finds that it cannot work with it, it ends with the reason.
func (n *Node) Serve(ctx context.Context, public, local net.Listener) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	unfit := make(chan error, 1)
	go func() {
		if err := n.awaitStore(ctx); err != nil {
			unfit <- err
			stop(err)
			return
		}
		n.enrollDaily(ctx)
	}()
	err := n.Server.Serve(ctx, public, local)
	select {
	case reason := <-unfit:
		return reason
	default:
		return err
	}
}

// awaitStore prepares the store as soon as it can be reached. Servers and their store often start at once.
func (n *Node) awaitStore(ctx context.Context) error {
	tick := time.NewTicker(waitEvery)
	defer tick.Stop()
	for n.waits {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := n.prepare(ctx)
		switch {
		case err == nil:
			n.log.Info("the store is there")
			return nil
		case ctx.Err() != nil:
			return nil
		case !errors.Is(err, store.ErrUnavailable):
			return err
		}
		n.log.Warn("waiting for the store", "error", err)
	}
	return nil
}

// enrollDaily renews the promise of the system secrets. That another process issues under a secret that this one lacks
// cannot be mended here: the operator must know.
func (n *Node) enrollDaily(ctx context.Context) {
	tick := time.NewTicker(enrollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := n.ring.Enroll(ctx, n.store, n.keep); err != nil && ctx.Err() == nil {
				n.log.Error("the system secrets could not be entered into the store", "error", err)
			}
		}
	}
}

// Close closes the store.
func (n *Node) Close() error { return n.store.Close() }
