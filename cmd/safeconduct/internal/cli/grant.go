package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/api"
)

func (a *app) grantCommand() *cobra.Command {
	return a.group("grant", "List and revoke what users have granted to clients", []string{"grants"},
		a.listGrantsCommand(), a.revokeGrantCommand())
}

func grantsPath(user string) string { return "/users/" + url.PathEscape(user) + "/grants" }

func (a *app) listGrantsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list USER", Short: "List what is granted in a user's name", Args: arguments("USER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var raw json.RawMessage
			var found api.Page[api.GrantRecord]
			err := a.call(cmd, func(ctx context.Context, server *api.Client) (err error) {
				raw, err = server.List(ctx, grantsPath(args[0]))
				return about(err, "user", args[0], "safeconduct user list")
			})
			if err == nil {
				err = decode(raw, &found)
			}
			if err != nil {
				return err
			}
			return a.show(listed(raw, found.Items, "grant", func(g api.GrantRecord) string { return g.ID },
				[]string{"ID", "CLIENT", "NAME", "SCOPES", "CREATED", "ENDS"},
				func(g api.GrantRecord) []string {
					return []string{g.ID, g.ClientID, g.Name, list(g.Scopes), date(g.Created), date(g.Ends)}
				}))
		},
	}
}

func (a *app) revokeGrantCommand() *cobra.Command {
	return &cobra.Command{
		Use: "revoke USER GRANT", Short: "End a grant and all its tokens", Args: arguments("USER", "GRANT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := a.call(cmd, func(ctx context.Context, server *api.Client) error {
				_, err := server.Call(ctx, http.MethodDelete, grantsPath(args[0])+"/"+url.PathEscape(args[1]), nil)
				return about(err, "grant", fmt.Sprintf("%s of %s", args[1], args[0]), "safeconduct grant list "+args[0])
			})
			if err != nil {
				return err
			}
			return a.show(result{words: []string{"Revoked grant " + args[1]}})
		},
	}
}
