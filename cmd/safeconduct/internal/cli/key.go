package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/api"
)

func (a *app) keyCommand() *cobra.Command {
	return a.group("key", "See and replace the keys that sign tokens", []string{"keys"}, a.listKeysCommand(),
		a.keysActCommand("rotate", "Let other keys follow, in the order that no verifier notices",
			"Other keys are published now and sign later, when every verifier has fetched them; what the present ones signed stays\n"+
				"good for as long as it lives. It happens by itself every 90 days (keys.rotate_every).",
			"The next keys are published, and will sign when keys.publish_ahead has passed"),
		a.keysActCommand("discard", "Throw all keys away now, because they leaked",
			"Other keys sign at once. What the present ones signed is refused by this server from now on, and by verifiers elsewhere\n"+
				"when they fetch the keys again. ID tokens are not credentials: nobody is logged out.",
			"The keys are gone; others sign from now on"))
}

func (a *app) listKeysCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the signing keys", Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var raw json.RawMessage
			var found api.Page[api.SigningKeyRecord]
			err := a.call(cmd, func(ctx context.Context, server *api.Client) (err error) {
				raw, err = server.Call(ctx, http.MethodGet, "/keys", nil)
				return err
			})
			if err == nil {
				err = decode(raw, &found)
			}
			if err != nil {
				return err
			}
			return a.show(listed(raw, found.Items, "signing key", func(k api.SigningKeyRecord) string { return k.ID },
				[]string{"ID", "ALGORITHM", "PUBLISHED", "SIGNS FROM", "SIGNS UNTIL", "PUBLISHED UNTIL"},
				func(k api.SigningKeyRecord) []string {
					return []string{k.ID, k.Algorithm, date(k.Created), date(k.SignsFrom), openEnd(k.SignsUntil), openEnd(k.PublishedUntil)}
				}))
		},
	}
}

// openEnd is a date that may not be known yet.
func openEnd(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return date(t)
}

func (a *app) keysActCommand(verb, short, long, said string) *cobra.Command {
	return &cobra.Command{
		Use: verb, Short: short, Long: long, Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := a.call(cmd, func(ctx context.Context, server *api.Client) error {
				_, err := server.Call(ctx, http.MethodPost, "/keys/"+verb, nil)
				return err
			})
			if err != nil {
				return err
			}
			return a.show(result{words: []string{said}})
		},
	}
}
