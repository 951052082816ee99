package main

import (
	"context"
	"fmt"
	"net"
	"runtime/debug"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/server"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt"
	"github.com/safeconduct/safeconduct/store/redis"
	"github.com/safeconduct/safeconduct/users"
)

// The engines.
const (
	engineRedis = "redis"
	engineBolt  = "bolt"
)

// redisPool is more connections than the benchmark ever uses.
const redisPool = 256

// openStore opens an engine at its place, a data file or a URL.
func openStore(ctx context.Context, engine, place string) (store.Store, error) {
	if engine == engineBolt {
		return bolt.Open(place, bolt.Options{})
	}
	return redis.Open(ctx, redis.Options{URL: place, PoolSize: redisPool})
}

// startServer is the server under test, as the serve command runs it.
func startServer(j job) (address string, stop func() error, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	s, err := openStore(ctx, j.Engine, j.Place)
	if err != nil {
		cancel()
		return "", nil, err
	}
	secrets, err := keys.ParseSecrets(j.Secret)
	if err != nil {
		cancel()
		return "", nil, err
	}
	ring, err := keys.NewRing(secrets...)
	if err != nil {
		cancel()
		return "", nil, err
	}
	debug.SetGCPercent(server.GCPercent) // as the program does
	log, err := accessLog(j.AccessLog)
	if err != nil {
		cancel()
		return "", nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		cancel()
		return "", nil, err
	}
	address = listener.Addr().String()
	hasher := users.NewHasher(j.Hash, 0, j.HashQueue)
	hasher.TellBusy(server.HashesBeside(hasher.Workers())) // as the program does
	srv, err := server.New(ctx, server.Config{
		Issuer: "http://" + address, Store: s, Keys: ring, Log: log, Hasher: hasher,
	})
	if err != nil {
		cancel()
		return "", nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ctx, listener, nil) }()
	return address, func() error {
		cancel()
		if err := <-ended; err != nil {
			return fmt.Errorf("serve: %w", err)
		}
		return s.Close()
	}, nil
}
