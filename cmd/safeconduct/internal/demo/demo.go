// Package demo gives the dev command something to try: a user, a client and the credential of the demo API, all with
// random secrets that are kept in a file and never printed, and the lines that use them. It works through the server's
// own API alone.
package demo

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/api"
)

// File is the name of the file with the demo's secrets, in the data directory.
const File = "demo.env"

// slug names the demo API and webID the demo app in the browser, which the server plays itself.
const (
	slug  = "demo-orders"
	webID = "demo-web"
)

// The variables in the file.
const (
	clientID     = "DEMO_CLIENT_ID"
	clientSecret = "DEMO_CLIENT_SECRET"
	userName     = "DEMO_USER"
	userPassword = "DEMO_PASSWORD"
	apiID        = "DEMO_API_ID"
	apiSecret    = "DEMO_API_SECRET"
)

func variables() []string {
	return []string{clientID, clientSecret, userName, userPassword, apiID, apiSecret}
}

// Ensure makes what of the demo is not there yet and returns the path of the file with its secrets. Names and the
// password are written down before anything is made of them, so a start that was interrupted is taken up by the next.
func Ensure(ctx context.Context, local *api.Client, issuer, folder string) (string, error) {
	d := &demo{api: local, issuer: issuer, path: filepath.Join(folder, File)}
	for _, step := range []func(context.Context) error{d.read, d.ensureUser, d.ensureClient, d.ensureWeb, d.ensureAPI} {
		if err := step(ctx); err != nil {
			return "", fmt.Errorf("set up the demo: %w", err)
		}
	}
	return d.path, nil
}

type demo struct {
	api    *api.Client
	issuer string
	path   string
	values map[string]string
}

// read reads the file, or plans what will be in it.
func (d *demo) read(context.Context) error {
	d.values = make(map[string]string)
	text, err := os.ReadFile(d.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), "="); found {
			d.values[name] = strings.Trim(value, "'")
		}
	}
	if d.values[userName] != "" && d.values[userPassword] != "" && d.values[clientID] != "" && d.values[apiID] == slug {
		return nil
	}
	d.values = map[string]string{
		userName: "demo-" + strings.ToLower(rand.Text()[:6]), userPassword: rand.Text(), clientID: "demo-app", apiID: slug,
	}
	return d.write()
}

// write replaces the file as a whole.
func (d *demo) write() error {
	var b strings.Builder
	b.WriteString("# Made by `safeconduct dev`. Secrets of the demo, for this machine only.\n")
	for _, name := range variables() {
		if value := d.values[name]; value != "" {
			fmt.Fprintf(&b, "%s='%s'\n", name, value) // none of the values has a quote in it
		}
	}
	temp := d.path + ".new"
	if err := os.WriteFile(temp, []byte(b.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, d.path)
}

func (d *demo) ensureUser(ctx context.Context) error {
	exists, err := d.exists(ctx, "/users/"+d.values[userName])
	if err != nil || exists {
		return err
	}
	_, err = d.api.Call(ctx, http.MethodPost, "/users", map[string]any{
		"username": d.values[userName], "name": "Demo user", "password": d.values[userPassword],
	})
	return err
}

func (d *demo) ensureClient(ctx context.Context) error {
	path := "/clients/" + d.values[clientID]
	exists, err := d.exists(ctx, path)
	if err != nil {
		return err
	}
	if exists {
		return d.ensureSecret(ctx, path, clientSecret)
	}
	raw, err := d.api.Call(ctx, http.MethodPost, "/clients", map[string]any{
		"client_id": d.values[clientID], "name": "Demo app", "type": "confidential",
		"grant_types": []string{"password", "refresh_token", "client_credentials"},
		"scopes":      []string{"orders:read", "orders:write", "account:read", "account:manage"},
	})
	if err != nil {
		return err
	}
	var made api.ClientRecord
	if err := json.Unmarshal(raw, &made); err != nil {
		return err
	}
	d.values[clientSecret] = made.ClientSecret
	return d.write()
}

// ensureWeb makes the app that people see in the browser. The port may be another one than the last time.
func (d *demo) ensureWeb(ctx context.Context) error {
	path := "/clients/" + webID
	callback := []string{d.issuer + "/demo/app/callback"}
	exists, err := d.exists(ctx, path)
	if err != nil {
		return err
	}
	if exists {
		_, err = d.api.Call(ctx, http.MethodPatch, path, map[string]any{"redirect_uris": callback})
		return err
	}
	_, err = d.api.Call(ctx, http.MethodPost, "/clients", map[string]any{
		"client_id": webID, "name": "Parchment Orders", "type": "public", "grant_types": []string{"authorization_code", "refresh_token"},
		"scopes": []string{"openid", "profile", "email", "offline_access", "orders:read", "orders:write"}, "redirect_uris": callback,
	})
	return err
}

func (d *demo) ensureAPI(ctx context.Context) error {
	return d.ensureSecret(ctx, "/resources/"+d.values[apiID], apiSecret)
}

// ensureSecret gives a client or a resource a secret if the file has none for it. One that was made, but that an
// interruption kept out of the file, is of no use to anybody and is revoked.
func (d *demo) ensureSecret(ctx context.Context, path, variable string) error {
	raw, err := d.api.Call(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	var owner struct {
		Secrets []api.SecretRecord `json:"secrets"`
	}
	if err := json.Unmarshal(raw, &owner); err != nil {
		return err
	}
	if d.values[variable] != "" && len(owner.Secrets) > 0 {
		return nil
	}
	// The last secret of a client cannot be revoked, and of more than a few none can be added: one stays until the new one
	// has come. The file comes last, so that after an interruption all of this is done again.
	last := owner.Secrets[:min(len(owner.Secrets), 1)]
	if err := d.revoke(ctx, path, owner.Secrets[len(last):]); err != nil {
		return err
	}
	raw, err = d.api.Call(ctx, http.MethodPost, path+"/secrets", map[string]any{})
	if err != nil {
		return err
	}
	var made api.SecretRecord
	if err := json.Unmarshal(raw, &made); err != nil {
		return err
	}
	if err := d.revoke(ctx, path, last); err != nil {
		return err
	}
	d.values[variable] = made.Secret
	return d.write()
}

func (d *demo) revoke(ctx context.Context, path string, secrets []api.SecretRecord) error {
	for _, secret := range secrets {
		if _, err := d.api.Call(ctx, http.MethodDelete, path+"/secrets/"+secret.ID, nil); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) exists(ctx context.Context, path string) (bool, error) {
	_, err := d.api.Call(ctx, http.MethodGet, path, nil)
	var refused *api.Error
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}
