package cli

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/api"
)

func (a *app) apiKeyCommand() *cobra.Command {
	return a.group("apikey", "Make, list and revoke API keys: long-lived tokens for scripts, of a user or of a client", []string{"apikeys"},
		a.listAPIKeysCommand(), a.createAPIKeyCommand(), a.revokeAPIKeyCommand())
}

// keyOwner says on the command line whose an API key is.
type keyOwner struct{ user, client string }

func (o *keyOwner) add(cmd *cobra.Command) {
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&o.user, "user", "", "the keys of this user, by username or id")
	cmd.Flags().StringVar(&o.client, "client", "", "the keys of this client's own, by which it acts for itself")
}

func (o *keyOwner) check() error {
	if (o.user == "") == (o.client == "") {
		return usage("say whose key it is: --user USER or --client CLIENT")
	}
	return nil
}

func (o *keyOwner) path() string {
	if o.client != "" {
		return "/clients/" + url.PathEscape(o.client) + "/keys"
	}
	return "/users/" + url.PathEscape(o.user) + "/tokens"
}

// about tells of a missing owner by name. What else is refused is said as it is.
func (o *keyOwner) about(err error) error {
	var refused *api.Error
	if !errors.As(err, &refused) || refused.Status != http.StatusNotFound {
		return err
	}
	if o.client != "" {
		return about(err, "client", o.client, "safeconduct client list")
	}
	return about(err, "user", o.user, "safeconduct user list")
}

func (o *keyOwner) flag() string {
	if o.client != "" {
		return "--client " + o.client
	}
	return "--user " + o.user
}

func (a *app) listAPIKeysCommand() *cobra.Command {
	var owner keyOwner
	cmd := &cobra.Command{
		Use: "list --user USER | --client CLIENT", Short: "List API keys by name; no key is ever shown again", Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := owner.check(); err != nil {
				return err
			}
			var raw json.RawMessage
			var found api.Page[api.KeyRecord]
			err := a.call(cmd, func(ctx context.Context, server *api.Client) (err error) {
				raw, err = server.List(ctx, owner.path())
				return owner.about(err)
			})
			if err == nil {
				err = decode(raw, &found)
			}
			if err != nil {
				return err
			}
			return a.show(listed(raw, found.Items, "key", func(k api.KeyRecord) string { return k.ID },
				[]string{"ID", "NAME", "SCOPES", "CREATED", "EXPIRES", "LAST USED"},
				func(k api.KeyRecord) []string {
					return []string{k.ID, k.Name, list(k.Scopes), date(k.Created), date(k.Expires), lastUse(k)}
				}))
		},
	}
	owner.add(cmd)
	return cmd
}

func lastUse(k api.KeyRecord) string {
	if k.LastUsed.IsZero() {
		return "never"
	}
	return date(k.LastUsed)
}

func (a *app) createAPIKeyCommand() *cobra.Command {
	var owner keyOwner
	var scopes []string
	var expires, file string
	cmd := &cobra.Command{
		Use: "create NAME --user USER | --client CLIENT", Short: "Make an API key and show it this once", Args: arguments("NAME"),
		Example: example(
			`safeconduct apikey create backup --user ada --scope orders:read --expires 90d`, "acts in ada's name",
			`safeconduct apikey create nightly --client report --scope orders:read --key-file report.key`, "acts for the client, to a file of mode 0600",
		),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := owner.check(); err != nil {
				return err
			}
			in := map[string]any{"name": args[0], "scopes": words(scopes)}
			if err := setLifetime(in, "lifetime", "expires", expires); err != nil {
				return err
			}
			return a.createAPIKey(cmd, owner, in, file)
		},
	}
	owner.add(cmd)
	cmd.Flags().StringArrayVar(&scopes, "scope", nil, "what it is for; several in one argument or several times")
	cmd.Flags().StringVar(&expires, "expires", "", "end it by itself after this time, 366d at most (default 30d)")
	cmd.Flags().StringVar(&file, "key-file", "", "write the key to a new file of mode 0600 and do not print it")
	return cmd
}

func (a *app) createAPIKey(cmd *cobra.Command, owner keyOwner, in map[string]any, file string) error {
	keep, err := newSecretFile(file)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	var made api.KeyRecord
	err = a.call(cmd, func(ctx context.Context, server *api.Client) (err error) {
		raw, err = server.Call(ctx, http.MethodPost, owner.path(), in)
		return owner.about(err)
	})
	if err == nil {
		err = decode(raw, &made)
	}
	if err != nil {
		keep.discard()
		return err
	}
	if raw, err = keepSecret(keep, raw, "token", made.Token); err != nil {
		return err
	}
	return a.show(result{
		json: raw, bare: []string{shownSecret(keep, made.Token, made.ID)},
		human: func(p *page) {
			p.field("id", made.ID)
			p.field("name", made.Name)
			p.field("scopes", list(made.Scopes))
			p.field("expires", date(made.Expires))
			p.field("key", shownSecret(keep, made.Token, "in "+file))
		},
		words: []string{"It is shown this once and is kept nowhere.",
			"Next: send it as Authorization: Bearer KEY; end it with safeconduct apikey revoke " + made.ID + " " + owner.flag()},
	})
}

func (a *app) revokeAPIKeyCommand() *cobra.Command {
	var owner keyOwner
	cmd := &cobra.Command{
		Use: "revoke KEY_ID --user USER | --client CLIENT", Short: "End an API key at once", Args: arguments("KEY_ID"),
		Long: "End an API key at once, by its id. Whoever has the key itself can pipe it into safeconduct token revoke.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := owner.check(); err != nil {
				return err
			}
			err := a.call(cmd, func(ctx context.Context, server *api.Client) error {
				_, err := server.Call(ctx, http.MethodDelete, owner.path()+"/"+url.PathEscape(args[0]), nil)
				return about(err, "apikey", args[0], "safeconduct apikey list "+owner.flag())
			})
			if err != nil {
				return err
			}
			return a.show(result{words: []string{"Revoked API key " + args[0]}})
		},
	}
	owner.add(cmd)
	return cmd
}
