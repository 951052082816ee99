package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/api"
	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/config"
)

// secretCommands are the commands on the secrets of a client or a resource. Several are valid at once, so that one is
// replaced without a pause.
func (k *kind[T]) secretCommands() *cobra.Command {
	return k.app.group("secret", "Add, list and revoke the secrets of a "+k.noun, []string{"secrets"},
		k.addSecretCommand(), k.listSecretsCommand(), k.revokeSecretCommand())
}

func (k *kind[T]) addSecretCommand() *cobra.Command {
	var expires, file string
	cmd := &cobra.Command{
		Use: "add " + k.arg, Short: "Make one more secret; those before it stay valid", Args: arguments(k.arg),
		Example: example("safeconduct "+k.noun+" secret add "+k.arg+" --expires 180d --secret-file new", "to a file of mode 0600"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := map[string]any{}
			if err := setLifetime(in, "lifetime", "expires", expires); err != nil {
				return err
			}
			keep, err := newSecretFile(file)
			if err != nil {
				return err
			}
			raw, _, err := k.call(cmd, http.MethodPost, args[0], "/secrets", in)
			var made api.SecretRecord
			if err == nil {
				err = decode(raw, &made)
			}
			if err != nil {
				keep.discard()
				return err
			}
			raw, err = keepSecret(keep, raw, "secret", made.Secret)
			if err != nil {
				return err
			}
			return k.app.show(result{
				json: raw, bare: []string{shownSecret(keep, made.Secret, made.ID)},
				human: func(p *page) {
					p.field("id", made.ID)
					p.field("expires", ends(made.Expires))
					p.field("secret", shownSecret(keep, made.Secret, "in "+file))
				},
				words: []string{"It is shown this once; only its hash is kept.",
					"Next: give it to the " + k.noun + ", then safeconduct " + k.noun + " secret revoke " + args[0] + " the old one"},
			})
		},
	}
	cmd.Flags().StringVar(&expires, "expires", "", "end it by itself after this time, such as 180d (default never)")
	cmd.Flags().StringVar(&file, "secret-file", "", "write the secret to a new file of mode 0600 and do not print it")
	return cmd
}

// setLifetime puts the value of a flag for a duration into a request, if it was given.
func setLifetime(in map[string]any, name, flag, text string) error {
	if text == "" {
		return nil
	}
	d, err := config.ParseDuration(text)
	if err != nil {
		return usage("--%s: %v", flag, err)
	}
	in[name] = d.String()
	return nil
}

// keepSecret writes a generated secret to its file and takes it out of the answer, or leaves both as they are.
func keepSecret(keep *secretFile, raw json.RawMessage, member, secret string) (json.RawMessage, error) {
	if !keep.wanted() {
		return raw, nil
	}
	if err := keep.write(secret); err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := decode(raw, &members); err != nil {
		return nil, err
	}
	delete(members, member)
	return encode(members), nil
}

// shownSecret is a secret, or what stands in its place when it went to a file.
func shownSecret(keep *secretFile, secret, instead string) string {
	if keep.wanted() {
		return instead
	}
	return secret
}

func (k *kind[T]) listSecretsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list " + k.arg, Short: "List the secrets by name; no secret is ever shown again", Args: arguments(k.arg),
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, _, err := k.call(cmd, http.MethodGet, args[0], "", nil)
			if err != nil {
				return err
			}
			var owner struct {
				Secrets []json.RawMessage `json:"secrets"`
			}
			var shown struct {
				Secrets []api.SecretRecord `json:"secrets"`
			}
			if err := decode(raw, &owner); err != nil {
				return err
			}
			if err := decode(raw, &shown); err != nil {
				return err
			}
			return k.app.show(listed(encode(api.Page[json.RawMessage]{Items: owner.Secrets}), shown.Secrets, "secret",
				func(s api.SecretRecord) string { return s.ID }, []string{"ID", "CREATED", "EXPIRES"},
				func(s api.SecretRecord) []string { return []string{s.ID, date(s.Created), ends(s.Expires)} }))
		},
	}
}

func (k *kind[T]) revokeSecretCommand() *cobra.Command {
	return &cobra.Command{
		Use: "revoke " + k.arg + " SECRET_ID", Short: "End a secret at once", Args: arguments(k.arg, "SECRET_ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := k.app.call(cmd, func(ctx context.Context, server *api.Client) error {
				if err := k.secretExists(ctx, server, args[0], args[1]); err != nil {
					return err
				}
				_, err := server.Call(ctx, http.MethodDelete, k.at(args[0])+"/secrets/"+url.PathEscape(args[1]), nil)
				return k.about(err, args[0])
			})
			if err != nil {
				return err
			}
			return k.app.show(result{words: []string{"Revoked secret " + args[1] + " of " + k.noun + " " + args[0]}})
		},
	}
}

// secretExists tells a wrong id: the API takes revoking what is absent for done.
func (k *kind[T]) secretExists(ctx context.Context, server *api.Client, name, id string) error {
	raw, err := server.Call(ctx, http.MethodGet, k.at(name), nil)
	if err != nil {
		return k.about(err, name)
	}
	var owner struct {
		Secrets []api.SecretRecord `json:"secrets"`
	}
	if err := decode(raw, &owner); err != nil {
		return err
	}
	for _, secret := range owner.Secrets {
		if secret.ID == id {
			return nil
		}
	}
	return &failure{exit: exitNotFound, code: "secret_not_found", message: k.noun + " " + name + " has no secret " + id,
		hint: "`safeconduct " + k.noun + " secret list " + name + "` lists them"}
}
