package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/node"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/archive"
)

// restoreOrder is what a restoration was asked for.
type restoreOrder struct {
	file                       string
	end, keep, replace, agreed bool
}

func (a *app) storeRestoreCommand() *cobra.Command {
	o := restoreOrder{}
	cmd := &cobra.Command{
		Use: "restore FILE", Short: "Fill the store of the configuration from a backup", Args: arguments("FILE"),
		Long: "Fill the store of the configuration from a backup. The backup is read to its end before anything is written. Stop all servers\n" +
			"first. What was revoked, disabled, changed or deleted since the backup was made comes back: a thief's token too. With\n" +
			"--end-all-sessions everything ends that was granted: everybody signs in again, machines fetch tokens again, and API keys are\n" +
			"made anew.",
		Example: example(
			"safeconduct store restore /backup/safeconduct-2026-03-01 --end-all-sessions", "nothing revoked comes back",
			"safeconduct store restore /backup/safeconduct-2026-03-01 --keep-sessions", "nobody signs in again",
		),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.file = args[0]
			if o.end && o.keep {
				return usage("--end-all-sessions and --keep-sessions exclude each other")
			}
			return a.restore(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&o.end, "end-all-sessions", false, "end everything that was granted: sessions, tokens and API keys")
	flags.BoolVar(&o.keep, "keep-sessions", false, "keep it, with what was revoked since the backup")
	flags.BoolVar(&o.replace, "replace", false, "replace a store that is not empty: a data file is moved aside, keys in Redis are deleted")
	flags.BoolVar(&o.agreed, "yes", false, "do not ask")
	return cmd
}

func (a *app) restore(ctx context.Context, o restoreOrder) (err error) {
	// 1. A whole backup.
	place, _, err := a.configuredPlace()
	if err != nil {
		return err
	}
	backup, err := a.openBackup(ctx, o.file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, backup.Close()) }()
	a.say(fmt.Sprintf("The backup was made at %s. What was revoked since comes back.", date(backup.About.Made)))

	// 2. What is to become of the sessions in it.
	if !o.end && !o.keep {
		if o.end, err = a.askWhetherToEnd(ctx); err != nil {
			return err
		}
	}
	if o.replace {
		if err := a.confirm(ctx, o.agreed, "Replacing what is in "+place.String()); err != nil {
			return err
		}
	}

	// 3. All of it, before any server can have it.
	target, err := place.Fill(ctx, o.replace)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	tally, err := a.copyShown(ctx, backup, backup.Mark, target, backup.Tally.Count())
	if err == nil && !backup.About.Snapshot {
		err = node.Mend(ctx, target)
	}
	if err == nil && o.end {
		err = a.endSessions(ctx, target)
	}
	if err == nil {
		err = target.Finish(ctx)
	}
	if err != nil {
		return fmt.Errorf("%w; the store is unfinished, repeat the restoration", err)
	}
	words := []string{totalled("Restored", tally) + " to " + place.String()}
	if aside, ok := target.(interface{ Aside() string }); ok && aside.Aside() != "" {
		words = append(words, "What was there is now "+aside.Aside())
	}
	if o.end {
		words = append(words, "All sessions, tokens and API keys of before have ended")
	}
	words = append(words, "Next: start the servers, with the system secrets that belong to the backup")
	return a.show(result{json: encode(map[string]any{"store": place.String(), "counts": tally, "ended": o.end}), words: words})
}

// openBackup reads a backup to its end.
func (a *app) openBackup(ctx context.Context, path string) (*archive.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, usage("%v", err)
	}
	shown := a.progress("KB checked", info.Size(), itemsStep)
	defer shown.clear()
	return archive.Open(ctx, path, func(read int64) { shown.tell(read, int(read>>10)) })
}

// askWhetherToEnd asks what nobody can decide but the operator.
func (a *app) askWhetherToEnd(ctx context.Context) (bool, error) {
	if !a.interactive() {
		return false, usage("say what is to become of what was granted: --end-all-sessions, or --keep-sessions with what was revoked since")
	}
	fmt.Fprint(a.err, "End all sessions, tokens and API keys in it? Write yes or no: ")
	answer, err := a.interruptible(ctx, func() (string, error) {
		var word string
		_, err := fmt.Fscanln(a.in, &word)
		return word, err
	})
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case err == nil && answer == "yes":
		return true, nil
	case err == nil && answer == "no":
		return false, nil
	}
	return false, &failure{exit: exitFailed, code: "cancelled", message: "nothing was done"}
}

// endSessions is node.EndSessions with its progress.
func (a *app) endSessions(ctx context.Context, records store.Store) error {
	shown := a.progress("users and clients signed out", 0, usersStep)
	defer shown.clear()
	return node.EndSessions(ctx, records, func(done int) { shown.tell(0, done) })
}
