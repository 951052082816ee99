package resources

import (
	"fmt"
	"slices"
)

// validateImplied refuses an implication of what is not there, of a scope by itself, and in a circle: the scopes of a
// circle would all be one and the same right under different names.
func validateImplied(list []Scope) error {
	place := make(map[string]int, len(list))
	for i, s := range list {
		place[s.Name] = i
	}
	for i, s := range list {
		field := fmt.Sprintf("scopes[%d].implies", i)
		for j, name := range s.Implies {
			_, known := place[name]
			switch {
			case name == s.Name:
				return invalid(field, "names the scope itself", "leave it out")
			case !known:
				return invalid(field, "names a scope that this resource does not have", "define it at this resource, or leave it out")
			case slices.Contains(s.Implies[:j], name):
				return invalid(field, "names a scope twice", "name it once")
			}
		}
	}
	// Each scope is begun when it is met and done when all that it implies is; to meet a begun one closes a circle.
	const begun, done = 1, 2
	state := make([]int, len(list))
	var circle func(i int) bool
	circle = func(i int) bool {
		state[i] = begun
		for _, name := range list[i].Implies {
			to := place[name]
			if state[to] == begun || state[to] == 0 && circle(to) {
				return true
			}
		}
		state[i] = done
		return false
	}
	for i := range list {
		if state[i] == 0 && circle(i) {
			return invalid(fmt.Sprintf("scopes[%d].implies", i), "leads back to where it began", "leave out one of the implications")
		}
	}
	return nil
}

// RemoveScopes takes scopes off a resource, and off whatever implied them: taking a right away never waits for somebody
// who built on it, and one that comes back later under the same name is not implied by anything. It returns the first
// name that is no scope of the resource, having changed nothing, or "".
func (r *Resource) RemoveScopes(names ...string) (unknown string) {
	for _, name := range names {
		if !slices.ContainsFunc(r.Scopes, func(s Scope) bool { return s.Name == name }) {
			return name
		}
	}
	gone := func(name string) bool { return slices.Contains(names, name) }
	r.Scopes = slices.DeleteFunc(r.Scopes, func(s Scope) bool { return gone(s.Name) })
	for i := range r.Scopes {
		r.Scopes[i].Implies = slices.DeleteFunc(r.Scopes[i].Implies, gone)
	}
	return ""
}
