package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/safeconduct/safeconduct/store/archive"
)

func (a *app) storeBackupCommand() *cobra.Command {
	return &cobra.Command{
		Use: "backup FILE", Short: "Write a backup, also while servers run", Args: arguments("FILE"),
		Long: "Write a backup of the store, also while servers run. The backup is read back before it gets its name, and no file is replaced.\n" +
			"It holds what the store holds: guard it likewise, and keep the system secrets elsewhere, without which it makes no server.",
		Example: example("safeconduct store backup /backup/safeconduct-$(date +%F)", "every night"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.backup(cmd.Context(), args[0]) },
	}
}

func (a *app) backup(ctx context.Context, path string) error {
	contents, err := archive.Save(ctx, path, func(file *os.File) error { return a.writeBackup(ctx, file) })
	if errors.Is(err, fs.ErrExist) {
		return &failure{exit: exitConflict, code: "file_exists", message: err.Error(), hint: "Give each backup a name of its own"}
	}
	if err != nil {
		return err
	}
	words := []string{totalled("Saved", &contents.Tally) + " to " + path}
	if !contents.About.Snapshot {
		words = append(words, "Redis was read while it goes on: see what that means in docs/backup.md")
	}
	return a.show(result{json: encode(map[string]any{"file": path, "made": contents.About.Made, "snapshot": contents.About.Snapshot, "counts": contents.Tally}),
		bare: []string{path}, words: words})
}

// writeBackup has the server write it that runs here, or reads the store itself when none does.
func (a *app) writeBackup(ctx context.Context, file *os.File) error {
	place, loaded, err := a.configuredPlace()
	if err != nil {
		return err
	}
	if server, err := localServer(loaded.Socket()); server != nil || err != nil {
		if err != nil {
			return err
		}
		shown := a.progress("KB received", 0, itemsStep)
		defer shown.clear()
		return server.Download(ctx, "/store/backup", &metered{to: file, told: func(n int64) { shown.tell(0, int(n>>10)) }})
	}
	records, err := place.Open(ctx)
	if err != nil {
		return err
	}
	total, err := records.Extent(ctx)
	if err == nil {
		shown := a.progress("items saved", total, itemsStep)
		err = archive.Write(ctx, file, records, records.Now(), func(t *archive.Tally) { shown.tell(t.Count(), int(t.Count())) })
		shown.clear()
	}
	return errors.Join(err, records.Close())
}

// metered counts what is written through it.
type metered struct {
	to   *os.File
	size int64
	told func(int64)
}

func (m *metered) Write(p []byte) (int, error) {
	n, err := m.to.Write(p)
	m.size += int64(n)
	m.told(m.size)
	return n, err
}
