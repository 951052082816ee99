package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/config"
	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/node"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/archive"
)

// copyEnd is one end of a copy, as it was named.
type copyEnd struct{ url, passwordFile, prefix string }

func (e *copyEnd) addFlags(flags *pflag.FlagSet, name string) {
	flags.StringVar(&e.url, name, "", "URL of the store to copy "+name)
	flags.StringVar(&e.passwordFile, name+"-password-file", "", "file with its password, for Redis")
	flags.StringVar(&e.prefix, name+"-prefix", "", "beginning of its keys, for Redis (store.prefix)")
}

// copyOrder is what a copy was asked for.
type copyOrder struct {
	from, to                copyEnd
	verify, replace, agreed bool
}

func (a *app) storeCopyCommand() *cobra.Command {
	o := copyOrder{}
	cmd := &cobra.Command{
		Use: "copy", Short: "Copy a store that no server uses to another engine or place", Args: arguments(),
		Long: "Copy a store to another engine or place: grants, sessions, users, clients, resources, keys and all that belongs to them, so that\n" +
			"what was issued before stays good and what was ended stays ended. Stop all servers first. A copy that is cut short leaves\n" +
			"a target that no server starts on; repeat it. Without --from or --to the store of the configuration is meant. Passwords come\n" +
			"from files, or from SAFECONDUCT_FROM_PASSWORD and SAFECONDUCT_TO_PASSWORD.",
		Example: example(
			"safeconduct store copy --to redis://10.0.0.5:6379 --verify", "from the data file to Redis",
			"safeconduct store copy --from redis://10.0.0.5:6379 --to bolt:///var/lib/safeconduct/data.db", "and back",
		),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.copyStore(cmd.Context(), o) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	o.from.addFlags(flags, "from")
	o.to.addFlags(flags, "to")
	flags.BoolVar(&o.verify, "verify", false, "read both again and compare everything")
	flags.BoolVar(&o.replace, "replace", false, "write over a target that is not empty")
	flags.BoolVar(&o.agreed, "yes", false, "do not ask")
	return cmd
}

// place is where an end is. variable names the password's place in the environment.
func (a *app) place(end copyEnd, variable string) (node.Place, error) {
	if end.url == "" {
		configured, _, err := a.configuredPlace()
		return configured, err
	}
	loaded, err := a.localConfiguration()
	if err != nil {
		return node.Place{}, err
	}
	url, err := config.ParseStoreURL(end.url)
	if err != nil {
		return node.Place{}, usage("the URL of the store %v", err)
	}
	given := *loaded
	given.Store = storeAt(loaded.Store, url)
	if end.prefix != "" {
		given.Store.Prefix = end.prefix
	}
	access, err := given.StoreAccess()
	if err != nil {
		return node.Place{}, err
	}
	access.Password, err = a.secretVariable(variable)
	if err == nil && end.passwordFile != "" {
		if access.Password, err = config.ReadSecretFile(end.passwordFile); err != nil {
			err = usage("the password: %v", err)
		}
	}
	if err != nil {
		return node.Place{}, err
	}
	return node.PlaceOf(&given.Config, access, a.quietLog()), nil
}

// storeAt is the configured store at another URL: what is not said of that one is as for the configured one. Secrets and
// certificates that it has no use for are left out, so that a copy does not fail for want of files that it does not need.
func storeAt(configured config.Store, url string) config.Store {
	s := configured
	s.URL, s.Password, s.PasswordFile = url, "", ""
	scheme, _, _ := strings.Cut(url, ":")
	if !strings.HasSuffix(scheme, "+sentinel") {
		s.SentinelUsername, s.SentinelPassword, s.SentinelPasswordFile = "", "", ""
	}
	if !strings.HasPrefix(scheme, "rediss") {
		s.CAFile, s.CertFile, s.KeyFile, s.ServerName = "", "", "", ""
	}
	return s
}

func (a *app) copyStore(ctx context.Context, o copyOrder) (err error) {
	// 1. Two places that are not one.
	if o.from.url == "" && o.to.url == "" {
		return usage("say where to with --to, or where from with --from")
	}
	from, err := a.place(o.from, "SAFECONDUCT_FROM_PASSWORD")
	if err != nil {
		return err
	}
	to, err := a.place(o.to, "SAFECONDUCT_TO_PASSWORD")
	if err != nil {
		return err
	}
	same, err := node.Same(ctx, from, to)
	if err != nil {
		return err
	}
	if same {
		return usage("the source and the target are one store: %s", from)
	}

	// 2. A source that nobody writes to, and a target that nobody uses.
	source, err := from.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if err := node.RefuseRunning(ctx, source); err != nil {
		return fmt.Errorf("the source %s: %w", from, err)
	}
	if o.replace {
		if err := a.confirm(ctx, o.agreed, "Replacing what is in "+to.String()); err != nil {
			return err
		}
	}
	target, err := to.Fill(ctx, o.replace)
	if err != nil {
		return fmt.Errorf("the target: %w", err)
	}
	defer func() { err = errors.Join(err, target.Close()) }()

	// 3. The copy, and whether it is one.
	total, err := source.Extent(ctx)
	if err != nil {
		return err
	}
	tally, err := a.copyShown(ctx, source, store.Mark{Now: source.Now()}, target, total)
	if err != nil {
		return fmt.Errorf("%w; the target %s is unfinished, repeat the copy", err, to)
	}
	var comparison *archive.Comparison
	if o.verify {
		if comparison, err = a.verifyCopy(ctx, source, target, tally); err != nil {
			return err
		}
	}
	if err := node.RefuseRunning(ctx, source); err != nil {
		return fmt.Errorf("a server was started on the source %s meanwhile, the target is unfinished: %w", from, err)
	}
	if err := target.Finish(ctx); err != nil {
		return err
	}
	words := []string{totalled("Copied", tally) + " to " + to.String()}
	if comparison != nil {
		words = append(words, "Verified: both hold the same")
	}
	words = append(words, "Next: set store.url to the new place, with the same system secrets, and start the servers. Then put "+from.String()+" out of reach: it goes stale")
	return a.show(result{json: encode(map[string]any{"from": from.String(), "to": to.String(), "counts": tally, "verified": comparison != nil}), words: words})
}

// verifyCopy compares the target with the source and prints what differs.
func (a *app) verifyCopy(ctx context.Context, source node.Whole, target store.Filler, copied *archive.Tally) (*archive.Comparison, error) {
	walker, ok := target.(store.Walker)
	if !ok {
		return nil, fmt.Errorf("compare: a %T cannot be read back", target)
	}
	shown := a.progress("items compared", 2*copied.Count(), itemsStep)
	found, err := archive.Compare(ctx, source, walker, func(seen int64) { shown.tell(seen, int(seen)) })
	shown.clear()
	if err != nil {
		return nil, err
	}
	if found.Same() {
		return found, nil
	}
	if err := a.show(differences(found)); err != nil {
		return nil, err
	}
	return nil, errFindings
}

// differences lays out what a comparison found.
func differences(c *archive.Comparison) result {
	r := result{words: []string{fmt.Sprintf("The target differs and is unfinished: %s", counted(len(c.Differences)+c.More, "difference"))}}
	named := make([]string, 0, len(c.Differences))
	for _, d := range c.Differences {
		named = append(named, d.String())
	}
	r.bare = named
	r.json = encode(map[string]any{"from": c.From, "to": c.To, "differences": named, "not_named": c.More})
	r.human = func(p *page) {
		p.row("", "SOURCE", "DIGEST", "TARGET", "DIGEST")
		for _, k := range store.Kinds() {
			from, to := c.From.Of(k), c.To.Of(k)
			p.row(k.String(), grouped(int(from.Count)), from.Digest.String(), grouped(int(to.Count)), to.Digest.String())
		}
		for _, name := range named {
			p.row(name)
		}
	}
	return r
}
