package cli

import (
	"fmt"
	"strconv"
)

// importProblem is somebody who was left out. It never holds a value of the file but a username that is one.
type importProblem struct {
	Line     int    `json:"line"`
	Record   int    `json:"record"`
	Status   string `json:"status"`
	Username string `json:"username,omitempty"`
	Field    string `json:"field,omitempty"`
	Problem  string `json:"problem"`
}

// importCounts is how an import ended.
type importCounts struct {
	DryRun          bool `json:"dry_run"`
	Complete        bool `json:"complete"` // the file was read to its end
	Created         int  `json:"created"`
	Existing        int  `json:"existing"`
	Refused         int  `json:"refused"`
	Disabled        int  `json:"disabled"`           // of those created
	WithoutPassword int  `json:"without_password"`   // of those created
	Admins          int  `json:"admins"`             // of those created
	Demoted         int  `json:"superusers_demoted"` // of those created
	OtherRecords    int  `json:"other_records"`
}

// importReport tells what becomes of an import, as it happens: it may be about a hundred thousand people.
type importReport struct {
	importCounts
	app   *app
	told  int
	wrong error // of the output
}

// seen is how many were dealt with.
func (r *importReport) seen() int { return r.Created + r.Existing + r.Refused }

// made counts somebody who was, or would be, created.
func (r *importReport) made(of foreigner) {
	count := func(into *int, holds bool) {
		if holds {
			*into++
		}
	}
	r.Created++
	count(&r.Disabled, of.User.Disabled)
	count(&r.WithoutPassword, !usable(of.User.PasswordHash))
	count(&r.Admins, of.User.Admin)
	count(&r.Demoted, of.superuser && !of.User.Admin)
}

// add counts and prints a problem.
func (r *importReport) add(p importProblem, array bool) {
	if p.Status == statusExists {
		r.Existing++
	} else {
		r.Refused++
	}
	if r.wrong != nil || r.app.quiet {
		return
	}
	r.told++
	if r.app.json {
		before := ",\n    "
		if r.told == 1 {
			before = jsonHead + "\n    "
		}
		_, r.wrong = fmt.Fprintf(r.app.out, "%s%s", before, harmless(encode(p)))
		return
	}
	place := "line " + strconv.Itoa(p.Line)
	if array {
		place += ", record " + strconv.Itoa(p.Record)
	}
	_, r.wrong = fmt.Fprintln(r.app.out, clean(place+": "+p.Problem))
}

// verdict is the end of an import that read the whole file.
func (r *importReport) verdict(existing string) error {
	r.Complete = true
	switch {
	case r.seen() == 0:
		return &failure{exit: exitFailed, code: "no_users", message: "there are no users in the file"}
	case r.wrong != nil:
		return r.wrong
	case r.Refused > 0, r.Existing > 0 && existing != existingSkip:
		return errFindings
	}
	return nil
}

// jsonHead is the beginning of the report for programs.
const jsonHead = "{\n  \"problems\": ["

// close prints the counts. What was done is told also where the import broke off, unless that was at the beginning.
func (r *importReport) close() error {
	a := r.app
	if r.seen() == 0 {
		return nil
	}
	if a.json {
		before := "\n  "
		if r.told == 0 {
			before = jsonHead
		}
		_, err := fmt.Fprintf(a.out, "%s],\n  %s\n", before, encode(r.importCounts)[1:])
		return err
	}
	made := "created"
	if r.DryRun {
		made = "would be created"
	}
	if a.quiet {
		_, err := fmt.Fprintln(a.out, r.Created)
		return err
	}
	p := &page{}
	p.row("  "+made, grouped(r.Created))
	for _, line := range []struct {
		name string
		n    int
	}{
		{"  disabled among them", r.Disabled}, {"  without a password", r.WithoutPassword}, {"  administrators", r.Admins},
		{"existed already", r.Existing}, {"refused", r.Refused}, {"records of other kinds", r.OtherRecords},
	} {
		if line.n > 0 {
			p.row("  "+line.name, grouped(line.n))
		}
	}
	if _, err := a.out.Write(p.text()); err != nil {
		return err
	}
	if r.Demoted > 0 {
		a.say(grouped(r.Demoted) + " with is_superuser are ordinary users here: --admins makes administrators of them")
	}
	switch {
	case !r.Complete:
		a.say("The import broke off: repeat it with --existing skip to go on")
	case r.DryRun:
		a.say("Nothing was made. Next: the same without --dry-run")
	case r.Created > 0:
		a.say("Each password hash is replaced by one of ours when its owner logs in")
	}
	return nil
}
