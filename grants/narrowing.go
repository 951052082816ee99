package grants

import "slices"

// Ask is a request for a part of a grant: RFC 6749 §6 for scopes, RFC 8707 §2.2 for resources. The zero value asks for
// everything.
type Ask struct {
	// Scopes are the wanted scopes; none means all.
	Scopes []uint32
	// Resources are the wanted audiences; none means those of the grant.
	Resources []uint32
}

// narrowing is an ask for less than everything, in ascending order.
type narrowing struct{ scopes, resources []uint32 }

// narrow checks that the ask is within the grant. It returns nil for an ask for everything.
func (r *record) narrow(a Ask) (*narrowing, error) {
	scopes, ok := within(r.Scopes, a.Scopes)
	if !ok {
		return nil, ErrScope
	}
	resources, ok := within(r.Resources, a.Resources)
	if !ok {
		return nil, ErrResource
	}
	if len(scopes) == len(r.Scopes) && len(resources) == len(r.Resources) {
		return nil, nil
	}
	return &narrowing{scopes, resources}, nil
}

// within returns the part of all that is wanted, sorted; all of it when nothing particular is.
func within(all, wanted []uint32) ([]uint32, bool) {
	if len(wanted) == 0 {
		return all, true
	}
	sorted := sortedSet(wanted)
	for _, number := range sorted {
		if _, found := slices.BinarySearch(all, number); !found {
			return nil, false
		}
	}
	return sorted, true
}

func sortedSet(numbers []uint32) []uint32 {
	sorted := slices.Clone(numbers)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}
