package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/api"
)

const (
	hashDjango = "django"
	// What to do about a username that exists.
	existingReport = "report"
	existingSkip   = "skip"
	existingFail   = "fail"

	usersStep = 5000 // users between two plain lines
)

// importOrder is what an import was asked for.
type importOrder struct {
	file, hash, existing string
	admins, dryRun       bool
}

func (a *app) importUsersCommand() *cobra.Command {
	o := importOrder{}
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Make users of those of another system, who keep their passwords", Args: arguments("FILE"),
		Long: "Make users of those of another system, who keep their passwords. FILE is what `manage.py dumpdata auth.user` writes, as JSON\n" +
			"or as JSON lines, or CSV with a header: username, password, email, first_name, last_name, is_active, is_superuser. - is the\n" +
			"standard input. Who is there already is left alone, so an import that was cut short can be repeated.",
		Example: example(
			"safeconduct user import users.json --hash django --dry-run", "what would be made, and what is refused",
			"python manage.py dumpdata auth.user | safeconduct user import - --hash django", "without a file of hashes on the disk",
		),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.file = args[0]
			switch {
			case o.hash == "":
				return usage("--hash is missing: say what made the password hashes, --hash django")
			case o.hash != hashDjango:
				return usage("--hash %s is not known: django is", clean(o.hash))
			case o.existing != existingReport && o.existing != existingSkip && o.existing != existingFail:
				return usage("--existing must be report, skip or fail")
			}
			return a.importUsers(cmd, o)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.hash, "hash", "", "what made the password hashes: django")
	flags.BoolVar(&o.dryRun, "dry-run", false, "make nothing, but say what would be made and what is refused")
	flags.StringVar(&o.existing, "existing", existingReport, "usernames that exist: report them and go on, skip them, or fail at the first")
	flags.BoolVar(&o.admins, "admins", false, "make administrators of those with is_superuser")
	return cmd
}

func (a *app) importUsers(cmd *cobra.Command, o importOrder) error {
	file, size := a.in, int64(0)
	if o.file != "-" {
		opened, err := os.Open(o.file)
		if err != nil {
			return usage("%v", err)
		}
		defer opened.Close()
		if info, err := opened.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
		file = opened
	}
	people, err := readPeople(file)
	if err != nil {
		return err
	}
	run := &importRun{app: a, order: o, people: people, progress: a.progress("users", size, usersStep), seen: make(map[seenName]uint32)}
	run.report.app, run.report.DryRun = a, o.dryRun
	err = a.call(cmd, run.all)
	run.progress.clear()
	return errors.Join(run.report.close(), err)
}

// importRun is one import on its way.
type importRun struct {
	app      *app
	order    importOrder
	people   *people
	progress *progress
	report   importReport
	batch    []foreigner
	size     int                 // bytes of the batch
	seen     map[seenName]uint32 // in which line a name stood first
}

// all sends everybody, and ends with errFindings if somebody was left out.
func (r *importRun) all(ctx context.Context, server *api.Client) error {
	for {
		next, err := r.people.next()
		switch {
		case errors.Is(err, io.EOF):
			if err := r.send(ctx, server); err != nil {
				return err
			}
			return r.report.verdict(r.order.existing)
		case err != nil:
			return errors.Join(r.send(ctx, server), err)
		case next.other:
			r.report.OtherRecords++
			continue
		}
		next.User.Admin = next.superuser && r.order.admins
		size := len(encode(next.User)) + 1
		if len(r.batch) == batchMost || r.size+size > batchBytes {
			if err := r.send(ctx, server); err != nil {
				return err
			}
		}
		r.batch, r.size = append(r.batch, next), r.size+size
	}
}

// tell reports a problem, which must not end up in the middle of a bar.
func (r *importRun) tell(of foreigner, p importProblem) {
	p.Line, p.Record = of.line, of.record
	r.progress.clear()
	r.report.add(p, r.people.array)
}

// nameOf is the name by which a person is shown.
func nameOf(first, last string) string {
	return strings.TrimSpace(strings.TrimSpace(first) + " " + strings.TrimSpace(last))
}
