package store

import "fmt"

// InvalidError refuses a record before it is written: a field breaks a rule. The registries of users, clients and
// resources share it, so that there is one way to show it. It never contains a secret.
type InvalidError struct {
	Field   string // as in the record's JSON, "redirect_uris[1]"
	Problem string // what is wrong with it: "has a fragment"
	Fix     string // what to write instead
}

// Error is the whole message in one line.
func (e *InvalidError) Error() string {
	if e.Fix == "" {
		return fmt.Sprintf("%s %s", e.Field, e.Problem)
	}
	return fmt.Sprintf("%s %s; %s", e.Field, e.Problem, e.Fix)
}
