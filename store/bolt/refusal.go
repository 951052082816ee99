package bolt

import "fmt"

// fault is what is wrong with a file that Open refuses.
type fault int

const (
	damaged fault = iota
	foreign
	newer
	header
)

// refusal is why a data file is not opened.
type refusal struct {
	fault  fault
	reason string
}

func (r *refusal) Error() string { return r.reason }

func damage(format string, a ...any) error { return &refusal{damaged, fmt.Sprintf(format, a...)} }

// explainTo says it to the operator: the file, the reason, and what to do.
func (r *refusal) explainTo(path string) error {
	switch r.fault {
	case foreign:
		return fmt.Errorf("%s is not a data file of Safeconduct: %s; it was left as it is: name another file, or move this one away",
			path, r.reason)
	case newer:
		return fmt.Errorf("data file %s was written by a newer release of Safeconduct: %s; it was left as it is: "+
			"use that release, or restore a backup made before the update", path, r.reason)
	case header:
		return fmt.Errorf("data file %s is damaged: %s; it was left as it is: restore a backup. If the machine lost power "+
			"while it was writing, the other header is good and nothing acknowledged is lost: then keep a copy of the file, "+
			"and overwrite the damaged header with the other one", path, r.reason)
	default:
		return fmt.Errorf("data file %s is damaged: %s; it was left as it is: restore a backup, "+
			"or move the file away to start with nothing", path, r.reason)
	}
}
