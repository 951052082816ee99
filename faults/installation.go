package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	// issuer is the name under which every server here answers, whatever port it has.
	issuer   = "http://localhost:8080"
	callback = "https://app.example.com/callback"
	password = "correct horse battery staple"
)

// installation is one Safeconduct: a store, system secrets, and the processes that share them.
type installation struct {
	s       *scene
	dir     string
	env     []string
	program func() (string, error)
	nodes   []*node

	api, machine credential
	site, app    credential // an app that keeps a secret, and one in people's hands
	fragile      credential // one in people's hands whose rotated tokens are reused at once
	people       []string
	clients      []*http.Client
}

type credential struct{ id, secret string }

// node is one process of an installation, on a port of its own that it keeps over restarts.
type node struct {
	in      *installation
	dir     string
	address string
	process *process
	env     []string
}

// install prepares an installation on a store. storeURL is empty for the embedded one.
func (s *scene) install(storeURL string, settings ...string) *installation {
	in := &installation{s: s, dir: s.TempDir(), program: s.programs.plain}
	in.env = append([]string{
		"SAFECONDUCT_SERVER_DRAIN_DELAY=0s", "SAFECONDUCT_LOG_LEVEL=warn", "SAFECONDUCT_LOG_FORMAT=json",
		// Tokens must not lapse while they are counted, and the cost of hashes is another matter.
		"SAFECONDUCT_TOKENS_ACCESS_TTL=1h", "SAFECONDUCT_PASSWORDS_MEMORY=7MiB", "SAFECONDUCT_PASSWORDS_PASSES=1",
		"SAFECONDUCT_PASSWORDS_QUEUE=1000",
	}, settings...)
	if storeURL != "" {
		secret := make([]byte, 32)
		rand.Read(secret)
		path := filepath.Join(in.dir, "secrets")
		s.must(os.WriteFile(path, []byte(base64.StdEncoding.EncodeToString(secret)+"\n"), 0o600))
		in.env = append(in.env, "SAFECONDUCT_STORE_URL="+storeURL, "SAFECONDUCT_SECRETS_FILE="+path)
	}
	return in
}

// addNode prepares a further process. With the embedded store there is one.
func (in *installation) addNode(env ...string) *node {
	port, err := freePort()
	in.s.must(err)
	n := &node{in: in, dir: filepath.Join(in.dir, fmt.Sprint("node", len(in.nodes))), address: net.JoinHostPort("127.0.0.1", port), env: env}
	in.s.must(os.Mkdir(n.dir, 0o700))
	in.nodes = append(in.nodes, n)
	in.s.Cleanup(func() {
		if n.process != nil {
			n.process.kill()
		}
	})
	return n
}

// launch starts the node's process without waiting for it.
func (n *node) launch() error {
	program, err := n.in.program()
	if err != nil {
		return err
	}
	env := append(append([]string{}, n.in.env...), n.env...)
	n.process, err = n.in.s.launch(program, n.dir, env, "serve", "--listen", n.address, "--data-dir", "data", "--json")
	return err
}

// start starts the node and waits until it is ready.
func (n *node) start() error {
	if err := n.launch(); err != nil {
		return err
	}
	if err := n.process.serving(); err != nil {
		return err
	}
	for deadline := time.Now().Add(startPatience); !n.ready(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("the server is not ready: %s", n.process.lastWords())
		}
	}
	return nil
}

func (n *node) mustStart() *node {
	n.in.s.must(n.start())
	return n
}

// probe asks a health path by address, on a connection of its own.
func (n *node) probe(path string) int {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + n.address + path)
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

func (n *node) ready() bool { return n.probe("/readyz") == http.StatusOK }

func (n *node) dataFile() string { return filepath.Join(n.dir, "data", "data.db") }

func (n *node) footprint() footprint {
	f, err := measureFootprint(n.process.cmd.Process.Pid, n.dataFile())
	n.in.s.must(err)
	return f
}

type object = map[string]any

// operator calls the administration over the unix socket, as the command line does.
func (n *node) operator(method, path string, body any, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	client := &http.Client{Timeout: startPatience, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(n.dir, "data", "safeconduct.sock"))
	}}}
	r, err := http.NewRequestWithContext(n.in.s.ctx, method, issuer+"/api/v1"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %d %s", method, path, response.StatusCode, answer)
	}
	if into == nil || len(answer) == 0 {
		return nil
	}
	return json.Unmarshal(answer, into)
}

// furnish registers what the virtual clients need: an API, apps, a machine and people.
func (in *installation) furnish(people int) {
	n := in.nodes[0]
	create := func(path string, body object) (answer struct {
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
		Secret       string `json:"secret"`
	}) {
		in.s.must(n.operator(http.MethodPost, path, body, &answer))
		return answer
	}
	resource := create("/resources", object{"identifier": "https://orders.example.com/api", "slug": "orders", "name": "Orders",
		"scopes": []object{{"name": "orders:read"}, {"name": "orders:write"}}})
	in.api = credential{"orders", resource.Secret}
	client := func(id, kind string, more object) credential {
		body := object{"client_id": id, "name": id, "type": kind, "scopes": []string{"orders:read", "orders:write"},
			"grant_types": []string{"authorization_code", "refresh_token"}, "redirect_uris": []string{callback}}
		for name, value := range more {
			body[name] = value
		}
		return credential{id, create("/clients", body).ClientSecret}
	}
	in.site = client("site", "confidential", object{"first_party": true, "rotation": "always"})
	in.app = client("app", "public", nil)
	in.fragile = client("fragile", "public", object{"refresh_window": 0})
	in.machine = client("machine", "service", object{"grant_types": []string{"client_credentials"}, "redirect_uris": nil})
	var registering sync.WaitGroup
	for i := range people {
		in.people = append(in.people, fmt.Sprint("person", i))
	}
	for worker := range registrars {
		registering.Go(func() {
			for i := worker; i < people; i += registrars {
				if err := n.operator(http.MethodPost, "/users", object{"username": in.people[i], "password": password}, nil); err != nil {
					in.s.Errorf("%v", err)
					return
				}
			}
		})
	}
	registering.Wait()
}

// registrars is how many people are registered at once.
const registrars = 4
