package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/spf13/cobra"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/api"
)

func scopeCommands(k *kind[api.ResourceRecord]) *cobra.Command {
	return k.app.group("scope", "Add and remove the scopes of a resource", []string{"scopes"}, addScopeCommand(k), removeScopesCommand(k))
}

func addScopeCommand(k *kind[api.ResourceRecord]) *cobra.Command {
	var added api.ScopeRecord
	cmd := &cobra.Command{
		Use: "add SLUG SCOPE", Short: "Add a scope to a resource", Args: arguments("SLUG", "SCOPE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			added.Name = args[1]
			return changeScopes(cmd, k, args[0], func(scopes []api.ScopeRecord) ([]api.ScopeRecord, error) {
				if slices.ContainsFunc(scopes, named(added.Name)) {
					return nil, &failure{exit: exitConflict, code: "scope_exists", message: "resource " + args[0] + " has the scope " + added.Name + " already"}
				}
				return append(scopes, added), nil
			}, "Next: safeconduct client allow CLIENT "+args[1])
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&added.Title, "title", "", "what it lets an app do, in a few words for users")
	flags.StringVar(&added.Description, "description", "", "the same in a sentence")
	flags.BoolVar(&added.Sensitive, "sensitive", false, "ask for more care when users are asked")
	return cmd
}

func removeScopesCommand(k *kind[api.ResourceRecord]) *cobra.Command {
	return &cobra.Command{
		Use: "remove SLUG SCOPE…", Short: "Remove scopes from a resource, and from all tokens at once", Args: arguments("SLUG", "SCOPE…"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return changeScopes(cmd, k, args[0], func(scopes []api.ScopeRecord) ([]api.ScopeRecord, error) {
				for _, name := range args[1:] {
					if !slices.ContainsFunc(scopes, named(name)) {
						return nil, &failure{exit: exitNotFound, code: "scope_not_found", message: "resource " + args[0] + " has no scope " + name}
					}
					scopes = slices.DeleteFunc(scopes, named(name))
				}
				return scopes, nil
			}, "Removed from resource "+args[0])
		},
	}
}

func named(name string) func(api.ScopeRecord) bool {
	return func(s api.ScopeRecord) bool { return s.Name == name }
}

// changeScopes reads the scopes of a resource and writes them back changed: the API takes the whole list.
func changeScopes(cmd *cobra.Command, k *kind[api.ResourceRecord], slug string, change func([]api.ScopeRecord) ([]api.ScopeRecord, error), next string) error {
	var raw json.RawMessage
	var resource api.ResourceRecord
	err := k.app.call(cmd, func(ctx context.Context, server *api.Client) error {
		before, err := server.Call(ctx, http.MethodGet, k.at(slug), nil)
		if err != nil {
			return k.about(err, slug)
		}
		if err := decode(before, &resource); err != nil {
			return err
		}
		scopes, err := change(resource.Scopes)
		if err != nil {
			return err
		}
		raw, err = server.Call(ctx, http.MethodPatch, k.at(slug), map[string]any{"scopes": scopes})
		return k.about(err, slug)
	})
	if err == nil {
		err = decode(raw, &resource)
	}
	if err != nil {
		return err
	}
	return k.app.show(result{json: raw, bare: scopeNames(resource), human: func(p *page) { showResource(p, resource) }, words: []string{next}})
}
