package server

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/safeconduct/safeconduct/resources"
)

// scopeJSON is a scope of a resource.
type scopeJSON struct {
	Name        string   `json:"name"`
	Title       string   `json:"title"`
	Description string   `json:"description"`
	Sensitive   bool     `json:"sensitive"`
	Deprecated  bool     `json:"deprecated"`
	Implies     []string `json:"implies"`
}

func showScope(s resources.Scope) scopeJSON {
	return scopeJSON{s.Name, s.Title, s.Description, s.Sensitive, s.Deprecated, notNil(s.Implies)}
}

// scopesOf makes scopes of their JSON. Their numbers are given by resources, by their names.
func scopesOf(in []scopeJSON) []resources.Scope {
	out := make([]resources.Scope, 0, len(in))
	for _, s := range in {
		out = append(out, resources.Scope{
			Name: s.Name, Title: s.Title, Description: s.Description, Sensitive: s.Sensitive, Deprecated: s.Deprecated, Implies: s.Implies,
		})
	}
	return out
}

// scopeChange is a change of the scope of a name; what is absent stays.
type scopeChange struct {
	Name        string    `json:"name"`
	Title       *string   `json:"title"`
	Description *string   `json:"description"`
	Sensitive   *bool     `json:"sensitive"`
	Deprecated  *bool     `json:"deprecated"`
	Implies     *[]string `json:"implies"`
}

func (ch resourceChange) changeScopes(r *resources.Resource) error {
	for i, added := range scopesOf(ch.AddScopes) {
		if scopeOf(r, added.Name) != nil {
			return &failure{status: http.StatusConflict, code: codeConflict, field: fmt.Sprintf("add_scopes[%d].name", i), detail: added.Name,
				description: "the resource has this scope already"}
		}
		r.Scopes = append(r.Scopes, added)
	}
	for i, change := range ch.EditScopes {
		scope := scopeOf(r, change.Name)
		if scope == nil {
			return noScope(fmt.Sprintf("edit_scopes[%d].name", i), change.Name)
		}
		set(&scope.Title, change.Title)
		set(&scope.Description, change.Description)
		set(&scope.Sensitive, change.Sensitive)
		set(&scope.Deprecated, change.Deprecated)
		set(&scope.Implies, change.Implies)
	}
	if unknown := r.RemoveScopes(ch.RemoveScopes...); unknown != "" {
		return noScope("remove_scopes", unknown)
	}
	return nil
}

func scopeOf(r *resources.Resource, name string) *resources.Scope {
	i := slices.IndexFunc(r.Scopes, func(s resources.Scope) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &r.Scopes[i]
}

func noScope(field, name string) error {
	return &failure{status: http.StatusNotFound, code: codeNotFound, field: field, detail: name, description: "the resource has no such scope"}
}
