package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/config"
)

const soundFile = `# Everything that can be set.
issuer: https://id.example.com
data_dir: /srv/safeconduct
server:
  listen: 0.0.0.0:8443
  allowed_hosts: [safeconduct:8443, id.internal]
  trusted_proxies:
    - 10.0.0.0/8
    - 192.0.2.7
    - fd00::/8
  drain_delay: 10s
  tls: {cert_file: /etc/tls/cert.pem, key_file: /etc/tls/key.pem}
store:
  url: rediss+sentinel://sentinel-1:26380,sentinel-2/main/2
  password_file: /run/secrets/redis
  prefix: 'id:'
  sentinel_username: watcher
  sentinel_password_file: /run/secrets/sentinel
  tls: {ca_file: /etc/tls/ca.pem, cert_file: /etc/tls/client.pem, key_file: /etc/tls/client-key.pem, server_name: redis}
  pool_size: 50
  timeout: 2s
  wait_replicas: 0
secrets: {file: /run/secrets/safeconduct}
tokens:
  access_ttl: 10m
  refresh_idle_ttl: 1w2d
  refresh_max_ttl: 1d12h30m
passwords: {workers: 3, queue: 0, memory: 64MiB, passes: 1}
log: {level: warn, format: json}
`

func TestEveryKeyIsRead(t *testing.T) {
	// The one mistake of the file: idle is longer than max.
	r, err := config.Parse("c.yaml", []byte(strings.Replace(soundFile, "1w2d", "1d6h", 1)))
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range []struct {
		key       string
		got, want any
	}{
		{"issuer", r.Issuer, "https://id.example.com"},
		{"data_dir", r.DataDir, "/srv/safeconduct"},
		{"server.listen", r.Server.Listen, "0.0.0.0:8443"},
		{"server.allowed_hosts", strings.Join(r.Server.AllowedHosts, " "), "safeconduct:8443 id.internal"},
		{"server.trusted_proxies", len(r.Server.TrustedProxies), 3},
		{"server.trusted_proxies", r.Server.TrustedProxies[1].String(), "192.0.2.7/32"},
		{"server.drain_delay", r.Server.DrainDelay, 10 * time.Second},
		{"server.tls.cert_file", r.Server.CertFile, "/etc/tls/cert.pem"},
		{"server.tls.key_file", r.Server.KeyFile, "/etc/tls/key.pem"},
		{"store.url", r.Store.URL, "rediss+sentinel://sentinel-1:26380,sentinel-2/main/2"},
		{"store.password_file", r.Store.PasswordFile, "/run/secrets/redis"},
		{"store.prefix", r.Store.Prefix, "id:"},
		{"store.sentinel_username", r.Store.SentinelUsername, "watcher"},
		{"store.sentinel_password_file", r.Store.SentinelPasswordFile, "/run/secrets/sentinel"},
		{"store.tls.ca_file", r.Store.CAFile, "/etc/tls/ca.pem"},
		{"store.tls.cert_file", r.Store.CertFile, "/etc/tls/client.pem"},
		{"store.tls.key_file", r.Store.KeyFile, "/etc/tls/client-key.pem"},
		{"store.tls.server_name", r.Store.ServerName, "redis"},
		{"store.pool_size", r.Store.PoolSize, 50},
		{"store.timeout", r.Store.Timeout, 2 * time.Second},
		{"store.wait_replicas", r.Store.WaitReplicas, 0},
		{"secrets.file", r.Secrets.File, "/run/secrets/safeconduct"},
		{"tokens.access_ttl", r.Tokens.Access, 10 * time.Minute},
		{"tokens.refresh_idle_ttl", r.Tokens.RefreshIdle, 30 * time.Hour},
		{"tokens.refresh_max_ttl", r.Tokens.RefreshMax, 36*time.Hour + 30*time.Minute},
		{"passwords.workers", r.Passwords.Workers, 3},
		{"passwords.queue", r.Passwords.Queue, 0},
		{"passwords.memory", r.Passwords.MemoryKiB, uint32(64 << 10)},
		{"passwords.passes", r.Passwords.Passes, uint32(1)},
		{"log.level", r.Log.Level, "warn"},
		{"log.format", r.Log.Format, "json"},
	} {
		if check.got != check.want {
			t.Errorf("%s: got %v, want %v", check.key, check.got, check.want)
		}
	}
	if !r.IsRedis() || r.DataFile() != "" {
		t.Errorf("IsRedis is %v, DataFile is %q", r.IsRedis(), r.DataFile())
	}
}

func TestWithoutAnythingTheDefaultsHold(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, content := range []string{"", "# nothing\n", "---\n", "\ufeff", "{}\n"} {
		r, err := config.Parse("c.yaml", []byte(content))
		if err != nil {
			t.Errorf("%q: %v", content, err)
			continue
		}
		if r.Issuer != "http://localhost:8080" || r.Server.Listen != "127.0.0.1:8080" || r.Tokens.Access != 15*time.Minute ||
			r.Tokens.RefreshIdle != 14*24*time.Hour || r.Tokens.RefreshMax != 90*24*time.Hour || r.Server.DrainDelay != 5*time.Second ||
			r.DataFile() != "/var/lib/safeconduct/data.db" || r.Passwords.MemoryKiB != 19<<10 || r.Passwords.Queue != -1 {
			t.Errorf("%q: got %+v", content, r.Config)
		}
	}
}

func TestStrongerSourceWins(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "safeconduct.yaml", "data_dir: /from/file\nlog: {level: warn, format: text}\nserver: {listen: 127.0.0.1:1, allowed_hosts: [a, b]}\n", 0o644)
	r, err := config.Load(config.Sources{
		Environment: []string{"SAFECONDUCT_LOG_LEVEL=error", "SAFECONDUCT_SERVER_LISTEN=127.0.0.1:2", "SAFECONDUCT_SERVER_ALLOWED_HOSTS=c, d",
			"SAFECONDUCT_ISSUER=", "SAFECONDUCT_TEST_X=1", "SAFECONDUCT_TOKEN=t", "HOME=/"},
		Flags: []config.Flag{{Name: "listen", Path: "server.listen", Value: "127.0.0.1:3"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range r.Effective() {
		got[e.Key] = e.Value + " < " + e.Origin
	}
	for key, want := range map[string]string{
		"issuer":               "http://localhost:8080 < default",
		"data_dir":             "/from/file < safeconduct.yaml:1",
		"log.format":           "text < safeconduct.yaml:2",
		"log.level":            "error < env SAFECONDUCT_LOG_LEVEL",
		"server.listen":        "127.0.0.1:3 < flag --listen",
		"server.allowed_hosts": "[c, d] < env SAFECONDUCT_SERVER_ALLOWED_HOSTS",
		"store.url":            "bolt:///from/file/data.db < default",
	} {
		if got[key] != want {
			t.Errorf("%s: got %s, want %s", key, got[key], want)
		}
	}
}

// A file of a secret that a variable replaces must not stay behind it.
func TestVariableReplacesTheFileOfASecret(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "safeconduct.yaml", "store: {url: redis://localhost, password_file: /old}\nsecrets: {file: /old}\n", 0o644)
	r, err := config.Load(config.Sources{Environment: []string{"SAFECONDUCT_STORE_PASSWORD=new", "SAFECONDUCT_SECRETS=new"}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Store.PasswordFile != "" || r.Store.Password != "new" || r.Secrets.File != "" || r.Secrets.Text != "new" {
		t.Errorf("got %+v %+v", r.Store, r.Secrets)
	}
}

func TestBrokenVariablesAndFlagsAreRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, test := range []struct {
		name        string
		environment []string
		want        string
	}{
		{"a bad value", []string{"SAFECONDUCT_SERVER_LISTEN=8080"},
			`env SAFECONDUCT_SERVER_LISTEN: server.listen: "8080" is not host:port. Write 127.0.0.1:8080 for this machine alone`},
		{"a typing error", []string{"SAFECONDUCT_ISUER=x"}, "env SAFECONDUCT_ISUER: unknown variable. Did you mean SAFECONDUCT_ISSUER?"},
		{"a made-up one", []string{"SAFECONDUCT_PORT=8080"}, "env SAFECONDUCT_PORT: unknown variable. `safeconduct config show` lists"},
		{"a bad item", []string{"SAFECONDUCT_SERVER_TRUSTED_PROXIES=10.0.0.0/8,,x"}, `"x" is not a network`},
		{"Kubernetes", []string{"SAFECONDUCT_PORT=tcp://10.0.0.1:80", "SAFECONDUCT_SERVICE_HOST=10.0.0.1", "SAFECONDUCT_PORT_80_TCP_ADDR=10.0.0.1"},
			"env SAFECONDUCT_PORT, SAFECONDUCT_PORT_80_TCP_ADDR, SAFECONDUCT_SERVICE_HOST: 3 variables of a Kubernetes Service. Set enableServiceLinks: false"},
		{"a secret twice", []string{"SAFECONDUCT_SECRETS=hunter2", "SAFECONDUCT_SECRETS_FILE=/x"}, "env SAFECONDUCT_SECRETS: secrets.text: is given twice, also by SAFECONDUCT_SECRETS_FILE"},
		{"a password twice", []string{"SAFECONDUCT_STORE_PASSWORD=hunter2", "SAFECONDUCT_STORE_PASSWORD_FILE=/x", "SAFECONDUCT_STORE_URL=redis://localhost", "SAFECONDUCT_SECRETS_FILE=/x"},
			"env SAFECONDUCT_STORE_PASSWORD: store.password: is given twice"},
	} {
		_, err := config.Load(config.Sources{Environment: test.environment})
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got\n%v\nwant %s", test.name, err, test.want)
		}
	}
	_, err := config.Load(config.Sources{Flags: []config.Flag{{Name: "listen", Path: "server.listen", Value: "x"}}})
	if err == nil || !strings.HasPrefix(err.Error(), `flag --listen: server.listen: "x" is not host:port`) {
		t.Errorf("got %v", err)
	}
}

func TestFileThatIsNamedMustBeThere(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, path := range []string{"absent.yaml", "."} {
		if _, err := config.Load(config.Sources{File: path}); err == nil || !strings.HasPrefix(err.Error(), path+": ") {
			t.Errorf("%s: got %v", path, err)
		}
	}
}

// ST-02: a password in a file that others can read is no password.
func TestPasswordInAReadableFileIsRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, content := range []string{
		"store: {url: redis://localhost, password: hunter2}\nsecrets: {file: /x}\n",
		"store: {url: 'redis://:hunter2@localhost'}\nsecrets: {file: /x}\n",
	} {
		write(t, "safeconduct.yaml", content, 0o644)
		_, err := config.Load(config.Sources{})
		if err == nil || !strings.Contains(err.Error(), "chmod 600 safeconduct.yaml") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v", err)
		}
		write(t, "safeconduct.yaml", content, 0o600)
		r, err := config.Load(config.Sources{})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range r.Effective() {
			if strings.Contains(e.Value, "hunter2") {
				t.Errorf("%s shows the password", e.Key)
			}
		}
	}
}

func TestOpenReadsTheFiles(t *testing.T) {
	folder := t.TempDir()
	t.Chdir(folder)
	write(t, "secrets", "# ours\n"+strings.Repeat("A", 43)+"=\n", 0o600)
	write(t, "redis", "hunter2\n", 0o600)
	r, err := config.Parse("c.yaml", []byte("store: {url: redis://localhost, password_file: redis}\nsecrets: {file: secrets}\n"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Open()
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Secrets) != 1 || m.Store.Password != "hunter2" || m.TLS != nil {
		t.Errorf("got %d secrets, a password of %d characters", len(m.Secrets), len(m.Store.Password))
	}
}

func TestOpenTellsEverythingThatIsWrong(t *testing.T) {
	folder := t.TempDir()
	t.Chdir(folder)
	write(t, "secrets", "hunter2\n", 0o600)
	write(t, "redis", "hunter2\n", 0o644)
	write(t, "key", "hunter2\n", 0o600)
	r, err := config.Parse("c.yaml", []byte(`issuer: https://id.example.com
store: {url: redis://localhost, password_file: redis}
secrets: {file: secrets}
server: {tls: {cert_file: absent, key_file: key}}
`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Open()
	var problems config.Errors
	if !errors.As(err, &problems) || len(problems) != 3 {
		t.Fatalf("got %v, want three problems", err)
	}
	for _, want := range []string{"c.yaml:2:48: store.password_file: ", "chmod 600 redis", "c.yaml:3:17: secrets.file: ", "line 1 is not a system secret", "c.yaml:4:27: server.tls.cert_file: "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not say %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a secret is shown: %v", err)
	}
}

func TestSecretIsOneLine(t *testing.T) {
	for content, want := range map[string]string{"a b\n": "a b", "a\r\n": "a", "a": "a"} {
		if got, err := config.ReadSecret(strings.NewReader(content)); err != nil || got != want {
			t.Errorf("%q: got %q, %v", content, got, err)
		}
	}
	for _, content := range []string{"", "\n", "a\nb\n", "a\n\n", "a\x00", strings.Repeat("a", 5000)} {
		if got, err := config.ReadSecret(strings.NewReader(content)); err == nil || strings.Contains(err.Error(), "aaa") {
			t.Errorf("%q: got %q, %v", content, got, err)
		}
	}
}

func TestDefaultsThatFollowFromOthersAreShown(t *testing.T) {
	r, err := config.Parse("c.yaml", []byte("data_dir: /d\npasswords: {workers: 5}\n"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range r.Effective() {
		got[e.Key] = e.Value
		if e.Means == "" {
			t.Errorf("%s is not explained", e.Key)
		}
	}
	if got["secrets.file"] != "/d/secrets" || got["passwords.queue"] != "20" || got["store.url"] != "bolt:///d/data.db" {
		t.Errorf("got %v", got)
	}
	if runtime.GOOS == "linux" && filepath.Join("/d", config.SocketFile) != r.Socket() {
		t.Errorf("the socket is %s", r.Socket())
	}
}

func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// A configuration that somebody else left in the working directory could lead passwords to a server of his own. It must
// be named to be used.
func TestForeignFileIsNotReadUnasked(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, config.DefaultFile, "data_dir: /theirs\n", 0o646)
	if _, err := config.Load(config.Sources{}); err == nil || !strings.Contains(err.Error(), "Name it with --config") {
		t.Errorf("got %v", err)
	}
	if r, err := config.Load(config.Sources{File: config.DefaultFile}); err != nil || r.DataDir != "/theirs" {
		t.Errorf("when it is named: got %v", err)
	}
	if _, err := config.Load(config.Sources{NoFile: true}); err != nil {
		t.Errorf("when no file is wanted: got %v", err)
	}
	if os.Geteuid() != 0 {
		return
	}
	write(t, config.DefaultFile, "data_dir: /theirs\n", 0o644)
	if err := os.Chown(config.DefaultFile, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(config.Sources{}); err == nil || !strings.Contains(err.Error(), "belongs to another user") {
		t.Errorf("got %v", err)
	}
}
