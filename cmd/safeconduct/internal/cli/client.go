package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/api"
)

func (a *app) clientCommand() *cobra.Command {
	k := &kind[api.ClientRecord]{
		app: a, noun: "client", path: "/clients", arg: "ID",
		name:  func(c api.ClientRecord) string { return c.ClientID },
		show:  showClient,
		heads: []string{"ID", "NAME", "TYPE", "GRANTS", "SCOPES", "STATUS"},
		row: func(c api.ClientRecord) []string {
			return []string{c.ClientID, c.Name, c.Type, list(c.GrantTypes), list(c.Scopes), status(c.Disabled)}
		},
	}
	below := append([]*cobra.Command{k.listCommand(), k.getCommand(), a.createClientCommand(), editClientCommand(k), k.deleteCommand(" and end all that was granted to it")},
		k.switchCommands("Shut a client out everywhere and end all that was granted to it", "Let a disabled client in again")...)
	below = append(below, scopesOfClientCommand(k, "allow", "Let a client ask for scopes", "add_scopes"),
		scopesOfClientCommand(k, "deny", "Take scopes from a client and its tokens (a JWT that an API verifies itself keeps them until it expires)", "remove_scopes"), k.secretCommands())
	return a.group("client", "Register and manage clients: the apps that ask for tokens", []string{"clients"}, below...)
}

func showClient(p *page, c api.ClientRecord) {
	p.field("client_id", c.ClientID)
	p.field("name", c.Name)
	p.field("type", c.Type)
	p.field("auth_method", c.AuthMethod)
	p.field("grant_types", list(c.GrantTypes))
	p.field("scopes", list(c.Scopes))
	p.field("required_scopes", list(c.RequiredScopes))
	p.field("redirect_uris", list(c.RedirectURIs))
	p.field("post_logout_redirect_uris", list(c.PostLogoutRedirectURIs))
	p.field("backchannel_logout_uri", c.BackchannelLogoutURI)
	p.field("backchannel_logout_session_required", yes(c.BackchannelLogoutSession))
	p.field("client_uri", c.ClientURI)
	p.field("id_token_signed_response_alg", c.IDTokenAlg)
	p.field("pkce", c.PKCE)
	p.field("first_party", yes(c.FirstParty))
	p.field("secrets", counted(len(c.Secrets), "secret"))
	p.field("status", status(c.Disabled))
	p.field("created", date(c.Created))
}

// clientFlags are the flags of create and edit.
type clientFlags struct {
	name, authMethod, rotation        string
	grants, scopes, redirects         []string
	required, postLogout              []string
	uri, backchannel, algorithm, pkce string
	firstParty                        bool
	window                            int
}

// clientFields are the names of the flags in the API.
var clientFields = map[string]string{
	"name": "name", "auth-method": "auth_method", "grant": "grant_types", "scope": "scopes", "redirect-uri": "redirect_uris",
	"first-party": "first_party", "rotation": "rotation", "refresh-window": "refresh_window",
	"required-scope": "required_scopes", "client-uri": "client_uri", "post-logout-redirect-uri": "post_logout_redirect_uris",
	"backchannel-logout-uri": "backchannel_logout_uri", "id-token-alg": "id_token_signed_response_alg", "pkce": "pkce",
}

func (f *clientFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringSliceVar(&f.grants, "grant", nil, "grant types: authorization_code, refresh_token, password, client_credentials")
	flags.StringArrayVar(&f.scopes, "scope", nil, "scopes that it may ask for, orders:* for all that begin like this; several in one argument or several times")
	flags.StringArrayVar(&f.redirects, "redirect-uri", nil, "where codes are sent to, compared letter by letter; several times")
	flags.StringArrayVar(&f.required, "required-scope", nil, "those of its scopes that users who agree cannot leave out")
	flags.StringArrayVar(&f.postLogout, "post-logout-redirect-uri", nil, "where a browser may be sent to after it was logged out; several times")
	flags.StringVar(&f.backchannel, "backchannel-logout-uri", "", "where it is told that a user has logged out")
	flags.StringVar(&f.uri, "client-uri", "", "its home page, shown to users")
	flags.StringVar(&f.algorithm, "id-token-alg", "", "what ID tokens are signed with: RS256, ES256 or EdDSA (default RS256)")
	flags.StringVar(&f.pkce, "pkce", "", "optional for a confidential client that cannot do PKCE (default required)")
	flags.StringVar(&f.authMethod, "auth-method", "", "client_secret_basic or client_secret_post, or none for a public client")
	flags.BoolVar(&f.firstParty, "first-party", false, "it is our own, and may have admin: scopes")
	flags.StringVar(&f.rotation, "rotation", "", "new refresh token at each refresh: always or never (default by type)")
	flags.IntVar(&f.window, "refresh-window", 30, "seconds for which a repeated refresh gets the same answer")
}

func (f *clientFlags) values() map[string]any {
	return map[string]any{
		"name": f.name, "auth-method": f.authMethod, "grant": f.grants, "scope": words(f.scopes), "redirect-uri": f.redirects,
		"first-party": f.firstParty, "rotation": f.rotation, "refresh-window": f.window,
		"required-scope": words(f.required), "client-uri": f.uri, "post-logout-redirect-uri": f.postLogout,
		"backchannel-logout-uri": f.backchannel, "id-token-alg": f.algorithm, "pkce": f.pkce,
	}
}

// words splits arguments at blanks: "a b" "c" is a, b, c.
func words(args []string) []string { return strings.Fields(strings.Join(args, " ")) }

func (a *app) createClientCommand() *cobra.Command {
	f := &clientFlags{}
	var id, clientType, expires, file string
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Register a client", Args: arguments("NAME"),
		Example: example(
			`safeconduct client create "Acme Invoices" --redirect-uri https://acme.example/callback --scope "openid orders:read"`, "signs users in",
			`safeconduct client create "Old app" --grant password,refresh_token --scope orders:read`, "takes their passwords itself",
			`safeconduct client create "Nightly report" --type service --scope orders:read --secret-file report.secret`, "acts for itself",
		),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.name = args[0]
			in := map[string]any{"name": args[0], "type": clientType, "grant_types": f.grants}
			for flag, value := range f.values() {
				if cmd.Flags().Changed(flag) {
					in[clientFields[flag]] = value
				}
			}
			if id != "" {
				in["client_id"] = id
			}
			if len(f.grants) == 0 {
				in["grant_types"] = usualGrants(clientType, f.redirects)
			}
			if err := setLifetime(in, "secret_lifetime", "secret-expires", expires); err != nil {
				return err
			}
			return a.createClient(cmd, in, file)
		},
	}
	cmd.Flags().StringVar(&clientType, "type", "confidential", "confidential (a web app), public (an app in the user's hands) or service (acts for itself)")
	f.add(cmd)
	cmd.Flags().StringVar(&id, "id", "", "client_id (default made of the name)")
	cmd.Flags().StringVar(&expires, "secret-expires", "", "end the secret by itself after this time, such as 180d (default never)")
	cmd.Flags().StringVar(&file, "secret-file", "", "write the secret to a new file of mode 0600 and do not print it")
	return cmd
}

// usualGrants are what a client of a type usually needs. What cannot be guessed is left to be asked for.
func usualGrants(clientType string, redirects []string) []string {
	switch {
	case clientType == "service":
		return []string{"client_credentials"}
	case len(redirects) > 0:
		return []string{"authorization_code", "refresh_token"}
	}
	return []string{}
}

func (a *app) createClient(cmd *cobra.Command, in map[string]any, file string) error {
	keep, err := newSecretFile(file)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	var made api.ClientRecord
	err = a.call(cmd, func(ctx context.Context, server *api.Client) (err error) {
		raw, err = server.Call(ctx, http.MethodPost, "/clients", in)
		return about(err, "client", "", "safeconduct client list")
	})
	if err == nil {
		err = decode(raw, &made)
	}
	if err != nil {
		keep.discard()
		return err
	}
	if made.ClientSecret == "" {
		keep.discard()
		keep = &secretFile{}
	}
	if raw, err = keepSecret(keep, raw, "client_secret", made.ClientSecret); err != nil {
		return err
	}
	r := result{json: raw, bare: []string{made.ClientID}, words: []string{"Registered client " + made.ClientID}}
	r.human = func(p *page) {
		showClient(p, made)
		p.field("client_secret", shownSecret(keep, made.ClientSecret, "in "+file))
	}
	if made.ClientSecret != "" && !keep.wanted() {
		r.bare = append(r.bare, made.ClientSecret)
		r.words = append(r.words, "The secret is shown this once; only its hash is kept.")
	}
	if slices.Contains(made.Scopes, "openid") && len(made.RedirectURIs) > 0 && made.IDTokenAlg == "" {
		r.words = append(r.words, "ID tokens are signed with RS256, which every client library knows; ES256 is smaller and faster: add --id-token-alg ES256 if yours knows it")
	}
	r.words = append(r.words, nextForClient(made))
	return a.show(r)
}

func nextForClient(c api.ClientRecord) string {
	switch {
	case len(c.Scopes) == 0:
		return "Next: safeconduct client allow " + c.ClientID + " SCOPE…"
	case c.Type == "service" && !strings.HasSuffix(c.Scopes[0], ":*"): // a family is nothing to ask for
		return "Next: safeconduct token get " + c.ClientID + " --scope " + c.Scopes[0]
	case c.Type == "service":
		return "Next: safeconduct token get " + c.ClientID + " --scope SCOPE"
	}
	if c.Type == "public" {
		return "Next: give client_id to the app"
	}
	return "Next: give client_id and secret to the app"
}

func editClientCommand(k *kind[api.ClientRecord]) *cobra.Command {
	f := &clientFlags{}
	cmd := &cobra.Command{
		Use: "edit ID", Short: "Change a client; lists are replaced as a whole", Args: arguments("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			change, err := changes(cmd, f.values(), clientFields)
			if err != nil {
				return err
			}
			return k.edit(cmd, args[0], change, "Changed client "+args[0])
		},
	}
	cmd.Flags().StringVar(&f.name, "name", "", "name that users see")
	f.add(cmd)
	return cmd
}

func scopesOfClientCommand(k *kind[api.ClientRecord], verb, short, member string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " ID SCOPE…", Short: short, Args: arguments("ID", "SCOPE…"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return k.edit(cmd, args[0], map[string]any{member: words(args[1:])}, "Changed client "+args[0])
		},
	}
}
