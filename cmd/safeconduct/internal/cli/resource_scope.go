package cli

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/api"
)

func scopeCommands(k *kind[api.ResourceRecord]) *cobra.Command {
	return k.app.group("scope", "Manage the scopes of a resource", []string{"scopes"},
		listScopesCommand(k), addScopeCommand(k), editScopeCommand(k), removeScopesCommand(k))
}

func listScopesCommand(k *kind[api.ResourceRecord]) *cobra.Command {
	return &cobra.Command{
		Use: "list SLUG", Short: "List the scopes of a resource", Args: arguments("SLUG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, resource, err := k.call(cmd, http.MethodGet, args[0], "", nil)
			if err != nil {
				return err
			}
			return k.app.show(listed(encode(api.Page[api.ScopeRecord]{Items: resource.Scopes}), resource.Scopes, "scope",
				func(s api.ScopeRecord) string { return s.Name }, []string{"SCOPE", "TITLE", "IMPLIES", "SENSITIVE", "DEPRECATED"},
				func(s api.ScopeRecord) []string {
					return []string{s.Name, s.Title, list(s.Implies), yes(s.Sensitive), yes(s.Deprecated)}
				}))
		},
	}
}

// scopeFlags are the flags of add and edit.
type scopeFlags struct {
	title, description    string
	sensitive, deprecated bool
	implies               []string
}

func (f *scopeFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.title, "title", "", "what it lets an app do, in a few words for users")
	flags.StringVar(&f.description, "description", "", "the same in a sentence")
	flags.StringArrayVar(&f.implies, "implies", nil, "scopes of the same resource that come with it; several in one argument or several times")
	flags.BoolVar(&f.sensitive, "sensitive", false, "ask for more care when users are asked")
	flags.BoolVar(&f.deprecated, "deprecated", false, "it still works, but is offered to nobody")
}

// values are what the flags that were given say, by the names of the API.
func (f *scopeFlags) values(cmd *cobra.Command) map[string]any {
	values := make(map[string]any)
	for name, value := range map[string]any{
		"title": f.title, "description": f.description, "implies": words(f.implies), "sensitive": f.sensitive, "deprecated": f.deprecated,
	} {
		if cmd.Flags().Changed(name) {
			values[name] = value
		}
	}
	return values
}

func addScopeCommand(k *kind[api.ResourceRecord]) *cobra.Command {
	f := &scopeFlags{}
	cmd := &cobra.Command{
		Use: "add SLUG SCOPE", Short: "Add a scope to a resource", Args: arguments("SLUG", "SCOPE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			scope := f.values(cmd)
			scope["name"] = args[1]
			return changeScopes(cmd, k, args[0], map[string]any{"add_scopes": []any{scope}}, "Next: safeconduct client allow CLIENT "+args[1])
		},
	}
	f.add(cmd)
	return cmd
}

func editScopeCommand(k *kind[api.ResourceRecord]) *cobra.Command {
	f := &scopeFlags{}
	cmd := &cobra.Command{
		Use: "edit SLUG SCOPE", Short: "Change a scope of a resource; what it implies is replaced as a whole", Args: arguments("SLUG", "SCOPE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			scope := f.values(cmd)
			if len(scope) == 0 {
				return usage("say what to change: %s --help lists the flags", cmd.CommandPath())
			}
			scope["name"] = args[1]
			return changeScopes(cmd, k, args[0], map[string]any{"edit_scopes": []any{scope}}, "Changed scope "+args[1])
		},
	}
	f.add(cmd)
	return cmd
}

func removeScopesCommand(k *kind[api.ResourceRecord]) *cobra.Command {
	return &cobra.Command{
		Use: "remove SLUG SCOPE…", Short: "Remove scopes from a resource and all tokens (a JWT that an API verifies itself keeps them until it expires)", Args: arguments("SLUG", "SCOPE…"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return changeScopes(cmd, k, args[0], map[string]any{"remove_scopes": words(args[1:])}, "Removed from resource "+args[0])
		},
	}
}

// changeScopes changes single scopes of a resource and shows what came of it.
func changeScopes(cmd *cobra.Command, k *kind[api.ResourceRecord], slug string, change map[string]any, next string) error {
	var raw json.RawMessage
	var resource api.ResourceRecord
	err := k.app.call(cmd, func(ctx context.Context, server *api.Client) (err error) {
		raw, err = server.Call(ctx, http.MethodPatch, k.at(slug), change)
		return aboutScopes(k, err, slug)
	})
	if err == nil {
		err = decode(raw, &resource)
	}
	if err != nil {
		return err
	}
	return k.app.show(result{json: raw, bare: scopeNames(resource), human: func(p *page) { showResource(p, resource) }, words: []string{next}})
}

// aboutScopes tells a refusal that is about a scope from one that is about the resource: the first names a field.
func aboutScopes(k *kind[api.ResourceRecord], err error, slug string) error {
	var refused *api.Error
	switch {
	case errors.As(err, &refused) && refused.Status == http.StatusConflict:
		f := explainRefusal(refused)
		f.code = "scope_exists"
		return f
	case errors.As(err, &refused) && refused.Status == http.StatusNotFound && refused.Field != "":
		f := explainRefusal(refused)
		f.code, f.hint = "scope_not_found", "`safeconduct resource scope list "+slug+"` lists those that it has"
		return f
	}
	return k.about(err, slug)
}
