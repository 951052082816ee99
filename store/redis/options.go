package redis

import (
	"crypto/tls"
	"log/slog"
	"time"
)

// DefaultPrefix is the prefix of all keys when Options names none.
const DefaultPrefix = "sc:"

// The defaults of Options.
const (
	DefaultTimeout      = 500 * time.Millisecond
	DefaultWaitReplicas = 1
)

// Options says where Redis is and how to use it. Only URL is needed.
type Options struct {
	// URL is one of
	//
	//	redis://[user:password@]host[:port][/database]
	//	redis+sentinel://[user:password@]host[:port][,host[:port]…]/master[/database]
	//	redis+cluster://[user:password@]host[:port][,host[:port]…]
	//
	// or the same with rediss for TLS. The hosts are the sentinels, or some nodes of the cluster; the master is called as
	// the sentinels call it.
	URL string
	// Username and Password are for those who keep them out of the URL. They must not be given twice.
	Username, Password string
	// SentinelUsername and SentinelPassword are for sentinels that ask for them; those of the nodes are not sent there.
	SentinelUsername, SentinelPassword string
	// TLS is for rediss:// with a private authority or a client certificate. Nil trusts the system's authorities.
	TLS *tls.Config

	// Prefix begins every key, so that several installations can share one Redis. Empty means DefaultPrefix.
	Prefix string
	// PoolSize is the most connections to one node. Zero means 10 for each core.
	PoolSize int
	// Timeout is how long one answer may take. Zero means DefaultTimeout. A new connection may take twice, a call with its
	// repetition three times as long.
	Timeout time.Duration
	// WaitReplicas is how many replicas must have what takes rights away before that counts as done, wherever a master
	// has replicas. Zero means DefaultWaitReplicas; less means that no replica is waited for.
	WaitReplicas int

	// Clock is the local clock, to which the store adds the difference to the clock of Redis. Nil means the machine's.
	Clock func() time.Time
	// Logger gets what go-redis and the store have to say about connections. Nil means nobody.
	Logger *slog.Logger

	uncoalesced bool // each call on its own, for benchmarks
}
