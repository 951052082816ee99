package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/api"
	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/config"
)

func (a *app) resourceCommand() *cobra.Command {
	k := &kind[api.ResourceRecord]{
		app: a, noun: "resource", path: "/resources", arg: "SLUG",
		name:  func(r api.ResourceRecord) string { return r.Slug },
		show:  showResource,
		heads: []string{"SLUG", "IDENTIFIER", "NAME", "SCOPES", "STATUS"},
		row: func(r api.ResourceRecord) []string {
			return []string{r.Slug, r.Identifier, r.Name, markedScopes(r), status(r.Disabled)}
		},
	}
	below := append([]*cobra.Command{k.listCommand(), k.getCommand(), a.createResourceCommand(), editResourceCommand(k), k.deleteCommand(" and its scopes")},
		k.switchCommands("Make all tokens useless for a resource (a JWT that it verifies itself is good until it expires)", "Let tokens be used for a resource again")...)
	below = append(below, scopeCommands(k), k.secretCommands())
	return a.group("resource", "Define and manage resources: the APIs that tokens are for", []string{"resources"}, below...)
}

func scopeNames(r api.ResourceRecord) []string {
	var names []string
	for _, scope := range r.Scopes {
		names = append(names, scope.Name)
	}
	return names
}

// markedScopes are the scopes for a list, where the deprecated ones are marked.
func markedScopes(r api.ResourceRecord) string {
	names := scopeNames(r)
	for i, scope := range r.Scopes {
		if scope.Deprecated {
			names[i] += " (deprecated)"
		}
	}
	return strings.Join(names, " ")
}

func showResource(p *page, r api.ResourceRecord) {
	p.field("slug", r.Slug)
	p.field("identifier", r.Identifier)
	p.field("name", r.Name)
	p.field("access_lifetime", r.AccessLifetime)
	p.field("token_format", r.TokenFormat)
	p.field("signing_alg", r.SigningAlg)
	p.field("built_in", yes(r.BuiltIn))
	p.field("secrets", counted(len(r.Secrets), "secret"))
	p.field("status", status(r.Disabled))
	p.field("created", date(r.Created))
	for _, scope := range r.Scopes {
		p.row("  scope", scope.Name, scope.Title+remarks(scope))
	}
}

// remarks are what there is to say of a scope behind its title.
func remarks(s api.ScopeRecord) string {
	out := ""
	if len(s.Implies) > 0 {
		out += " (implies " + list(s.Implies) + ")"
	}
	if s.Sensitive {
		out += " (sensitive)"
	}
	if s.Deprecated {
		out += " (deprecated)"
	}
	return out
}

func (a *app) createResourceCommand() *cobra.Command {
	var slug, name, lifetime, format, algorithm, file string
	var scopes []string
	cmd := &cobra.Command{
		Use: "create IDENTIFIER", Short: "Define an API that tokens are for", Args: arguments("IDENTIFIER"),
		Long: "Define an API that tokens are for. IDENTIFIER is its URI: the audience of its tokens. The API gets a secret with which it\n" +
			"introspects them, its slug being the user name.",
		Example: example(`safeconduct resource create https://api.example.com --slug orders --name Orders --scope "orders:read=See your orders" --scope orders:write`, ""),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := map[string]any{"identifier": args[0], "slug": slug, "name": name}
			if slug == "" {
				in["slug"] = slugOf(args[0])
			}
			if name == "" {
				in["name"] = in["slug"]
			}
			if err := setLifetime(in, "access_lifetime", "access-lifetime", lifetime); err != nil {
				return err
			}
			if format != "" {
				in["token_format"] = format
			}
			if algorithm != "" {
				in["signing_alg"] = algorithm
			}
			defined := []map[string]any{}
			for _, scope := range scopes {
				name, title, _ := strings.Cut(scope, "=")
				defined = append(defined, map[string]any{"name": name, "title": title})
			}
			in["scopes"] = defined
			return a.createResource(cmd, in, file)
		},
	}
	cmd.Example = strings.TrimSuffix(cmd.Example, "   # ")
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&slug, "slug", "", "short name of a-z, 0-9 and hyphens (default made of the identifier)")
	flags.StringVar(&name, "name", "", "name that users see (default the slug)")
	flags.StringArrayVar(&scopes, "scope", nil, "scope, with its title behind a =; several times")
	flags.StringVar(&lifetime, "access-lifetime", "", "life of access tokens for it, 1m to 60m (default tokens.access_ttl)")
	flags.StringVar(&format, "format", "", formatHelp)
	flags.StringVar(&algorithm, "alg", "", algorithmHelp)
	flags.StringVar(&file, "secret-file", "", "write the secret to a new file of mode 0600 and do not print it")
	return cmd
}

const (
	formatHelp    = "access tokens for it: opaque, which it introspects, or jwt, which it can verify itself (default opaque)"
	algorithmHelp = "what its jwt access tokens are signed with: ES256, RS256 or EdDSA (default ES256)"
)

// slugOf makes a short name of an identifier: of its host and path.
func slugOf(identifier string) string {
	text := identifier
	if u, err := url.Parse(identifier); err == nil && u.Host != "" {
		text = u.Host + u.Path
	}
	var b strings.Builder
	for _, c := range strings.ToLower(text) {
		switch {
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
			b.WriteRune(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	return strings.Trim(b.String()[:min(b.Len(), 64)], "-")
}

func (a *app) createResource(cmd *cobra.Command, in map[string]any, file string) error {
	keep, err := newSecretFile(file)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	var made api.ResourceRecord
	err = a.call(cmd, func(ctx context.Context, server *api.Client) (err error) {
		raw, err = server.Call(ctx, http.MethodPost, "/resources", in)
		return about(err, "resource", "", "safeconduct resource list")
	})
	if err == nil {
		err = decode(raw, &made)
	}
	if err != nil {
		keep.discard()
		return err
	}
	if raw, err = keepSecret(keep, raw, "secret", made.Secret); err != nil {
		return err
	}
	r := result{json: raw, bare: []string{made.Slug}, words: []string{"Defined resource " + made.Slug}}
	if !keep.wanted() {
		r.bare = append(r.bare, made.Secret)
		r.words = append(r.words, "The secret is shown this once; only its hash is kept.")
	}
	r.human = func(p *page) {
		showResource(p, made)
		p.field("secret", shownSecret(keep, made.Secret, "in "+file))
	}
	r.words = append(r.words, "Next: safeconduct client allow CLIENT SCOPE…, so that an app may ask for them")
	return a.show(r)
}

func editResourceCommand(k *kind[api.ResourceRecord]) *cobra.Command {
	var name, lifetime, format, algorithm string
	cmd := &cobra.Command{
		Use: "edit SLUG", Short: "Change the name of a resource, or the kind and the lifetime of its access tokens", Args: arguments("SLUG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if lifetime != "" {
				d, err := config.ParseDuration(lifetime)
				if err != nil {
					return usage("--access-lifetime: %v", err)
				}
				lifetime = d.String()
			}
			change, err := changes(cmd, map[string]any{"name": name, "access-lifetime": lifetime, "format": format, "alg": algorithm},
				map[string]string{"name": "name", "access-lifetime": "access_lifetime", "format": "token_format", "alg": "signing_alg"})
			if err != nil {
				return err
			}
			return k.edit(cmd, args[0], change, "Changed resource "+args[0])
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "name that users see")
	cmd.Flags().StringVar(&lifetime, "access-lifetime", "", "life of access tokens for it, 1m to 60m; 0s for the default")
	cmd.Flags().StringVar(&format, "format", "", formatHelp)
	cmd.Flags().StringVar(&algorithm, "alg", "", algorithmHelp)
	return cmd
}
