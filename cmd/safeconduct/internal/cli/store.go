package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/config"
	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/node"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/archive"
)

// itemsStep is how many items there are between two plain lines.
const itemsStep = 50_000

func (a *app) storeCommand() *cobra.Command {
	return a.group("store", "Back up, restore, copy and look at the store", nil,
		a.storeInfoCommand(), a.storeBackupCommand(), a.storeRestoreCommand(), a.storeCopyCommand())
}

// configuredPlace is where the configuration says that the store is.
func (a *app) configuredPlace() (node.Place, *config.Result, error) {
	loaded, err := a.localConfiguration()
	if err != nil {
		return node.Place{}, nil, err
	}
	access, err := loaded.StoreAccess()
	if err != nil {
		return node.Place{}, nil, err
	}
	return node.PlaceOf(&loaded.Config, access, a.quietLog()), loaded, nil
}

// localConfiguration is the configuration of a command that works on this machine.
func (a *app) localConfiguration() (*config.Result, error) {
	base, err := a.remote()
	if err != nil {
		return nil, err
	}
	if base != "" {
		return nil, usage("the store of a server elsewhere cannot be had: run this where the server runs, without --server")
	}
	return a.configuration()
}

// counts lays a tally out.
func counts(p *page, t *archive.Tally) {
	for _, k := range store.Kinds() {
		p.field(k.String(), grouped(int(t.Of(k).Count)))
	}
}

// copyShown is archive.Copy with its progress.
func (a *app) copyShown(ctx context.Context, from archive.Source, start store.Mark, to store.Filler, total int64) (*archive.Tally, error) {
	shown := a.progress("items copied", total, itemsStep)
	defer shown.clear()
	return archive.Copy(ctx, from, start, to, func(t *archive.Tally) { shown.tell(t.Count(), int(t.Count())) })
}

// totalled says how much there is in all, in one line.
func totalled(did string, t *archive.Tally) string {
	return fmt.Sprintf("%s %s records, %s counters, %s index entries and %s log entries", did,
		grouped(int(t.Records.Count)), grouped(int(t.Counters.Count)), grouped(int(t.Members.Count)), grouped(int(t.Entries.Count)))
}
