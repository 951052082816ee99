package store

import "context"

type lastingKey struct{}

// Lasting returns a context under which Set, Add and Swap return nil only when what they wrote outlives the server that
// took it, as far as the engine can tell. It is for writes that take rights away: a spent code that comes back after a
// failover could be spent again. Delete and Append are always meant so. When the engine cannot tell in time, the call
// returns ErrUnavailable.
func Lasting(ctx context.Context) context.Context {
	return context.WithValue(ctx, lastingKey{}, true)
}

// Lasts reports whether ctx was made by Lasting. Engines ask it.
func Lasts(ctx context.Context) bool { return ctx.Value(lastingKey{}) != nil }
