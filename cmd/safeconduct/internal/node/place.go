package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/config"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt"
	"github.com/safeconduct/safeconduct/store/redis"
)

// Place is where a store is, for the commands that work on stores as a whole.
type Place struct {
	name  string        // without a password
	path  string        // of the data file; empty for Redis
	redis redis.Options // empty for a data file
	log   *slog.Logger
}

// Whole is a store that can be walked.
type Whole interface {
	store.Store
	store.Walker
}

// PlaceOf is the place that a configuration names.
func PlaceOf(c *config.Config, access config.StoreAccess, log *slog.Logger) Place {
	p := Place{name: c.StoreName(), path: c.DataFile(), log: log}
	if c.IsRedis() {
		p.redis = redisOptions(c.Store, access, log)
	}
	return p
}

// String names the place without a password.
func (p Place) String() string { return p.name }

// Path is the data file; empty for Redis.
func (p Place) Path() string { return p.path }

// Open opens the store that is there. It makes none, and refuses one that is unfinished.
func (p Place) Open(ctx context.Context) (Whole, error) {
	if p.path != "" {
		return p.openFile()
	}
	records, err := redis.Open(ctx, p.redis)
	if err != nil {
		return nil, err
	}
	err = refuseEmpty(ctx, records, p.name)
	if unready := refuseUnfinished(ctx, records); unready != nil {
		err = unready
	}
	if err != nil {
		return nil, errors.Join(err, records.Close())
	}
	return records, nil
}

// refuseEmpty returns ErrNothingThere if a store in Redis was never written to.
func refuseEmpty(ctx context.Context, records *redis.Store, name string) error {
	empty, err := records.Empty(ctx)
	if err == nil && empty {
		err = fmt.Errorf("the store %s is empty: %w", name, ErrNothingThere)
	}
	return err
}

func (p Place) openFile() (Whole, error) {
	info, err := os.Stat(p.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		if _, err := os.Stat(p.path + bolt.UnfinishedSuffix); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no data file %s: %w", p.path, ErrNothingThere)
		}
	}
	records, err := bolt.Open(p.path, bolt.Options{Logger: p.log})
	if err != nil {
		return nil, err
	}
	return records, nil
}

// Fill begins to fill the store.
func (p Place) Fill(ctx context.Context, replace bool) (store.Filler, error) {
	if p.path != "" {
		filling, err := bolt.Fill(p.path, replace, bolt.Options{Logger: p.log})
		if err != nil {
			return nil, err
		}
		return filling, nil
	}
	filling, err := redis.Fill(ctx, p.redis, replace, store.ChangesTopic)
	if err != nil {
		return nil, err
	}
	return filling, nil
}

// Same reports whether two places are one, by whatever names.
func Same(ctx context.Context, x, y Place) (bool, error) {
	if (x.path == "") != (y.path == "") {
		return false, nil
	}
	if x.path != "" {
		one, err := os.Stat(x.path)
		if err != nil {
			return false, nil // Open says it better
		}
		other, err := os.Stat(y.path)
		return x.path == y.path || err == nil && os.SameFile(one, other), nil
	}
	one, err := x.identity(ctx)
	if err != nil {
		return false, err
	}
	other, err := y.identity(ctx)
	return one == other, err
}

func (p Place) identity(ctx context.Context) (string, error) {
	records, err := redis.Open(ctx, p.redis)
	if err != nil {
		return "", err
	}
	id := ""
	if err = records.Ping(ctx); err == nil { // this fails soon when Redis is away
		id, err = records.Identity(ctx)
	}
	return id, errors.Join(err, records.Close())
}

// RefuseRunning returns an error that wraps ErrRunning if servers are at work on an open store. A data file has no other
// process than the one that has it open.
func RefuseRunning(ctx context.Context, records Whole) error {
	shared, ok := records.(*redis.Store)
	if !ok {
		return nil
	}
	return shared.RefuseListeners(ctx, store.ChangesTopic)
}

// refuseUnfinished returns store.ErrUnfinished if a filling of an open store was cut short. A data file says so when it is
// opened.
func refuseUnfinished(ctx context.Context, records store.Store) error {
	filled, ok := records.(interface {
		Unfinished(ctx context.Context) (bool, error)
	})
	if !ok {
		return nil
	}
	unfinished, err := filled.Unfinished(ctx)
	if err == nil && unfinished {
		err = fmt.Errorf("a copy into this store, or a restoration of it, was cut short or is under way: repeat it: %w", store.ErrUnfinished)
	}
	return err
}

// Redis is what a Redis says of itself.
type Redis = redis.About

// Shared is what is to be known of a store in Redis beyond what it holds.
type Shared struct {
	Redis   Redis
	Servers int // that are at work on it
}

// AboutRedis asks an open store in Redis about itself; nil for another.
func AboutRedis(ctx context.Context, records Whole) (*Shared, error) {
	inRedis, ok := records.(*redis.Store)
	if !ok {
		return nil, nil
	}
	about, err := inRedis.About(ctx)
	if err != nil {
		return nil, err
	}
	servers, err := inRedis.Listeners(ctx, store.ChangesTopic)
	if err != nil {
		return nil, err
	}
	return &Shared{about, servers}, nil
}
