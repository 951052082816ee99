package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/config"
	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt"
	"github.com/safeconduct/safeconduct/store/redis"
)

// ErrInUse is wrapped by Open's error when another process has the data file.
var ErrInUse = bolt.ErrInUse

// ErrRunning is wrapped by the error about a store in Redis that must not be in use and is.
var ErrRunning = redis.ErrInUse

// ErrNothingThere is wrapped by Open's error when there are no data, or no system secret, and Create was not asked for.
var ErrNothingThere = errors.New("no server was ever started on this data")

// openStore opens the store that the configuration names and finds the system secrets that belong to it.
func openStore(ctx context.Context, o Options) (store.Store, []keys.Secret, error) {
	if o.Config.IsRedis() {
		records, err := openRedis(ctx, o)
		return records, o.Material.Secrets, err
	}
	path := o.Config.DataFile()
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && !o.Create {
		return nil, nil, fmt.Errorf("there is no data file %s: %w", path, ErrNothingThere)
	}
	records, err := bolt.Open(path, bolt.Options{Clock: localClock(), Logger: o.Log})
	if err != nil {
		return nil, nil, err
	}
	secrets, err := findSecrets(o, records.Empty())
	if err != nil {
		return nil, nil, errors.Join(err, records.Close())
	}
	return records, secrets, nil
}

// openRedis opens Redis. Several servers share it, so none of them may make a system secret of its own.
func openRedis(ctx context.Context, o Options) (store.Store, error) {
	if len(o.Material.Secrets) == 0 {
		return nil, errors.New("a store in Redis needs system secrets that are given: set secrets.file")
	}
	options := redisOptions(o.Config.Store, o.Material.Store, o.Log)
	options.Clock = localClock()
	records, err := redis.Open(ctx, options)
	if err != nil {
		return nil, err
	}
	if o.Create {
		return records, nil
	}
	if err := refuseEmpty(ctx, records, o.Config.StoreName()); err != nil {
		return nil, errors.Join(err, records.Close())
	}
	return records, nil
}

func redisOptions(s config.Store, access config.StoreAccess, log *slog.Logger) redis.Options {
	wait := s.WaitReplicas
	if wait == 0 {
		wait = -1 // zero is the engine's default
	}
	return redis.Options{
		URL: s.URL, Password: access.Password, Prefix: s.Prefix, SentinelUsername: s.SentinelUsername, SentinelPassword: access.SentinelPassword,
		TLS: access.TLS, PoolSize: s.PoolSize, Timeout: s.Timeout, WaitReplicas: wait, Logger: log,
	}
}

// findSecrets returns the system secrets of a data file. One is generated only for a file that nothing was ever written
// to: a new one for a file in use would end every token, and hide that the old one was lost.
func findSecrets(o Options, empty bool) ([]keys.Secret, error) {
	if len(o.Material.Secrets) > 0 {
		return o.Material.Secrets, nil
	}
	path := o.Config.OwnSecretsFile()
	secrets, err := keys.LoadFile(path)
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return secrets, err
	case !empty:
		return nil, fmt.Errorf("the data file %s is in use, but its system secrets %s are missing: put the file back from a backup", o.Config.DataFile(), path)
	case !o.Create:
		return nil, fmt.Errorf("there is no system secret %s: %w", path, ErrNothingThere)
	}
	secrets, err = keys.GenerateFile(path)
	if err == nil {
		o.Log.Info("made a system secret; keep a copy of it with each backup of the data", "file", path)
	}
	return secrets, err
}

// The built-in API of every server, which is named after its issuer.
const (
	builtInSlug = "safeconduct"
	builtInPath = "/api/v1"
)

// storedIssuer is the issuer of the server that the records belong to. A command that works on them without a server
// may lack its configuration, and must not rename what the server's tokens are for.
func storedIssuer(ctx context.Context, records store.Store, configured string) (string, error) {
	builtIn, err := resources.New(records, store.NewChanges(records)).Get(ctx, builtInSlug)
	if errors.Is(err, store.ErrNotFound) {
		return configured, nil
	}
	if err != nil {
		return "", fmt.Errorf("find the issuer: %w", err)
	}
	if issuer, found := strings.CutSuffix(builtIn.ID, builtInPath); found {
		return issuer, nil
	}
	return configured, nil
}
