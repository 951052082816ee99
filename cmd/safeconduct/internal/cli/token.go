package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/api"
)

func (a *app) tokenCommand() *cobra.Command {
	return a.group("token", "Get, inspect, introspect and revoke tokens", []string{"tokens"},
		a.getTokenCommand(), a.inspectTokenCommand(), a.introspectTokenCommand(), a.revokeTokenCommand())
}

// noToken refuses tokens as arguments: those are seen by everybody on the machine and stay in the shell's history.
func noToken(_ *cobra.Command, args []string) error {
	if len(args) == 0 || len(args) == 1 && args[0] == "-" {
		return nil
	}
	wrong := usage("a token is a secret and does not belong on the command line")
	wrong.hint = "Pipe it in, or call the command without it and paste it"
	return wrong
}

func (a *app) introspectTokenCommand() *cobra.Command {
	return &cobra.Command{
		Use: "introspect [-]", Short: "Ask the server whether an access token is good, and what for (exit 8 if not)", Args: noToken,
		Long: "Ask the server whether an access token is good, and what for. The token is read from the standard input.\n" +
			"The exit code is 8 if it is not good.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			raw, err := a.sendToken(cmd, "/tokens/introspect")
			var token api.TokenRecord
			if err == nil {
				err = decode(raw, &token)
			}
			if err != nil {
				return err
			}
			if err := a.show(introspected(raw, token)); err != nil {
				return err
			}
			if !token.Active {
				return errFindings
			}
			return nil
		},
	}
}

func introspected(raw json.RawMessage, token api.TokenRecord) result {
	if !token.Active {
		return result{json: raw, bare: []string{"inactive"}, human: func(p *page) {
			p.row("inactive: expired, revoked, not a token of this server, or not an access token")
		}}
	}
	return result{json: raw, bare: []string{"active"}, human: func(p *page) {
		p.row("active")
		p.field("scope", token.Scope)
		p.field("client_id", token.ClientID)
		p.field("username", token.Username)
		p.field("sub", token.Subject)
		p.field("aud", list(token.Audience))
		p.field("iss", token.Issuer)
		p.field("exp", date(time.Unix(token.Expires, 0)))
	}}
}

func (a *app) revokeTokenCommand() *cobra.Command {
	return &cobra.Command{
		Use: "revoke [-]", Short: "End the grant that a token belongs to, with all its tokens", Args: noToken,
		Long: "End the grant that a token belongs to, with all its tokens. The token is read from the standard input. A token that is\nnot good any more needs no revoking: that is no error.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := a.sendToken(cmd, "/tokens/revoke"); err != nil {
				return err
			}
			return a.show(result{words: []string{"Revoked"}})
		},
	}
}

// sendToken reads a token and sends it to the API.
func (a *app) sendToken(cmd *cobra.Command, path string) (json.RawMessage, error) {
	token, err := a.readSecret(cmd.Context(), "Token")
	if err != nil {
		return nil, err
	}
	var raw json.RawMessage
	err = a.call(cmd, func(ctx context.Context, server *api.Client) (err error) {
		raw, err = server.Call(ctx, http.MethodPost, path, map[string]any{"token": token})
		return err
	})
	return raw, err
}
