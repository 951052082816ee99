// Package config reads the configuration of Safeconduct: one YAML file, variables of the environment and flags, of which
// a flag wins over a variable, a variable over the file, and the file over the default. It is strict: what it does not
// know and what is vague is refused, all of it at once, each with its place, the reason and what to write instead. It is
// called by the commands, and it never shows a secret.
//
// Load looks at what is written; Result.Open reads the files that it names.
package config

import (
	"net/netip"
	"path/filepath"
	"time"
)

// Config is the configuration in effect. The table of keys says what each field is.
type Config struct {
	Issuer    string
	DataDir   string
	Server    Server
	Store     Store
	Secrets   Secrets
	Tokens    Tokens
	Sessions  Sessions
	Keys      Keys
	Passwords Passwords
	UI        UI
	Log       Log
}

// Server is how the server is reached.
type Server struct {
	Listen         string
	AllowedHosts   []string
	TrustedProxies []netip.Prefix
	NotifyNetworks []netip.Prefix
	CheckNetworks  []netip.Prefix
	DrainDelay     time.Duration
	CertFile       string
	KeyFile        string
}

// Store is where the records are.
type Store struct {
	// URL is empty for the data file in the data directory.
	URL          string
	Password     string
	PasswordFile string
	Prefix       string

	SentinelUsername     string
	SentinelPassword     string
	SentinelPasswordFile string
	CAFile               string
	CertFile             string
	KeyFile              string
	ServerName           string
	PoolSize             int // 0 for 10 a core
	Timeout              time.Duration
	WaitReplicas         int
}

// Secrets is where the system secrets are, if not in the data directory.
type Secrets struct {
	File string
	Text string
}

// Tokens are the lifetimes of what is issued.
type Tokens struct {
	Access      time.Duration
	JWT         time.Duration
	RefreshIdle time.Duration
	RefreshMax  time.Duration
}

// Sessions are how long people stay logged in.
type Sessions struct {
	Idle     time.Duration
	Max      time.Duration
	Remember time.Duration
}

// Keys are how the signing keys follow each other.
type Keys struct {
	RotateEvery  time.Duration
	PublishAhead time.Duration
}

// UI is how the pages look.
type UI struct {
	Name         string
	LogoFile     string
	Accent       string
	AccentDark   string
	TemplatesDir string
}

// Passwords is what hashing them may cost.
type Passwords struct {
	Workers   int // 0 for the number of cores
	Queue     int // -1 for four times the workers
	MemoryKiB uint32
	Passes    uint32
}

// Log is what is logged, and how.
type Log struct {
	Level  string
	Format string
}

// The names of what lies in the data directory.
const (
	dataFile    = "data.db"
	secretsFile = "secrets"
	// SocketFile is the unix socket of a running server.
	SocketFile = "safeconduct.sock"
)

// DataFile is the path of the data file, or empty if the records are not in a local file.
func (c *Config) DataFile() string {
	if c.Store.URL == "" {
		return filepath.Join(c.DataDir, dataFile)
	}
	path, _ := boltPath(c.Store.URL)
	return path
}

// OwnSecretsFile is where the server keeps a system secret that it has generated itself.
func (c *Config) OwnSecretsFile() string { return filepath.Join(c.DataDir, secretsFile) }

// Socket is the path of the unix socket on which a running server serves its operator.
func (c *Config) Socket() string { return filepath.Join(c.DataDir, SocketFile) }
