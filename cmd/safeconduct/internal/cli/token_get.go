package cli

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/api"
	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/config"
)

func (a *app) getTokenCommand() *cobra.Command {
	var scopes, resources []string
	var file string
	var fromStdin, inBody bool
	cmd := &cobra.Command{
		Use: "get CLIENT", Short: "Get an access token by client credentials", Args: arguments("CLIENT"),
		Long: "Get an access token by client credentials, from --server, the server that runs on --data-dir, or the configured\n" +
			"issuer. The client's secret is read from --secret-file, --secret-stdin, SAFECONDUCT_CLIENT_SECRET or\n" +
			"SAFECONDUCT_CLIENT_SECRET_FILE, or asked for.",
		Example: example(
			"safeconduct token get report --scope orders:read --secret-file report.secret", "with what comes with it",
			"TOKEN=$(safeconduct token get report --scope orders:read --secret-file report.secret -q)", "the bare token",
		),
		RunE: func(cmd *cobra.Command, args []string) error {
			base, err := a.issuer(cmd.Context())
			if err != nil {
				return err
			}
			secret, err := a.clientSecret(cmd.Context(), file, fromStdin)
			if err != nil {
				return err
			}
			raw, err := api.GetToken(cmd.Context(), base, api.TokenRequest{
				ClientID: args[0], ClientSecret: secret, Scope: words(scopes), Resources: resources, InBody: inBody,
			})
			var got api.Issued
			if err == nil {
				err = decode(raw, &got)
			}
			if err != nil {
				return err
			}
			return a.show(result{json: raw, bare: []string{got.AccessToken}, human: func(p *page) {
				p.field("access_token", got.AccessToken)
				p.field("scope", got.Scope)
				p.field("expires_in", strconv.FormatInt(got.ExpiresIn, 10)+" s")
			}, words: []string{`Next: curl -H "Authorization: Bearer TOKEN" the API that it is for`}})
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVar(&scopes, "scope", nil, "scopes to ask for (default all that the client may have, but admin:)")
	flags.StringArrayVar(&resources, "resource", nil, "identifier of the API that it is for, to leave out others; several times")
	flags.StringVar(&file, "secret-file", "", "file of mode 0600 with the client's secret")
	flags.BoolVar(&fromStdin, "secret-stdin", false, "read the client's secret from the standard input")
	flags.BoolVar(&inBody, "secret-post", false, "send the secret in the body, for clients of client_secret_post")
	return cmd
}

// issuer is the server that issues: the one that was named, the one that runs on this machine, under the name that it has
// there, or else the configured issuer.
func (a *app) issuer(ctx context.Context) (string, error) {
	base, err := a.remote()
	if err != nil || base != "" {
		return base, err
	}
	loaded, err := a.configuration()
	if err != nil {
		return "", err
	}
	server, err := localServer(loaded.Socket())
	if err != nil || server == nil {
		return loaded.Issuer, err
	}
	return server.Issuer(ctx)
}

// clientSecret finds the secret of a client.
func (a *app) clientSecret(ctx context.Context, file string, fromStdin bool) (string, error) {
	switch {
	case file != "" && fromStdin:
		return "", usage("--secret-file and --secret-stdin contradict each other")
	case file != "":
		secret, err := config.ReadSecretFile(file)
		if err != nil {
			return "", usage("--secret-file: %v", err)
		}
		return secret, nil
	case fromStdin:
		return a.readSecret(ctx, "Client secret")
	}
	secret, err := a.secretVariable("SAFECONDUCT_CLIENT_SECRET")
	if err != nil || secret != "" {
		return secret, err
	}
	if !a.interactive() {
		return "", usage("the client's secret is missing: use --secret-file, --secret-stdin or SAFECONDUCT_CLIENT_SECRET_FILE")
	}
	return a.readSecret(ctx, "Client secret")
}
