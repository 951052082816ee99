// Command faults shows what Safeconduct does when something goes wrong: it runs real servers under a crowd of virtual
// clients, breaks what they stand on, and holds every promise against a ledger that the clients kept. It starts
// everything that it needs, on the loopback network and in temporary folders, ends by itself and leaves nothing behind.
//
// The virtual clients write down every request before they send it and after its end; the checker reads that ledger and
// nothing else (see check for the invariants). `make faults` runs the short form of every failure; -long is for a free
// machine and an hour; -only picks some. The exit code is 1 if a promise was broken.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}

var errBroken = errors.New("a promise was broken")

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	all := failures()
	var only, older string
	var long bool
	flags := flag.NewFlagSet("faults", flag.ContinueOnError)
	flags.SetOutput(progress)
	flags.StringVar(&only, "only", "", "run these alone, separated by commas: "+strings.Join(names(all), ", "))
	flags.BoolVar(&long, "long", false, "the full counts, which take about an hour")
	flags.StringVar(&older, "older", "", "a safeconduct of the release before, to run beside this one (F28)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is no flag; see -help", flags.Arg(0))
	}
	chosen, err := choose(all, only)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "scfaults")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p := newPrograms(ctx, dir)
	p.older = older

	t := &table{out: out, long: long}
	t.head()
	for _, f := range chosen {
		fmt.Fprintf(progress, "%s %s …\n", f.name, f.title)
		began := time.Now()
		s := play(ctx, f, long, p, progress)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		t.row(f, s, time.Since(began))
	}
	if t.broken > 0 {
		return fmt.Errorf("%w: %d of %d failures", errBroken, t.broken, len(chosen))
	}
	return nil
}

func names(all []failure) []string {
	var names []string
	for _, f := range all {
		names = append(names, f.name)
	}
	return names
}

// choose picks the failures of a list of names, or all.
func choose(all []failure, only string) ([]failure, error) {
	if only == "" {
		return all, nil
	}
	var chosen []failure
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(all, func(f failure) bool { return strings.EqualFold(f.name, strings.TrimSpace(name)) })
		if i < 0 {
			return nil, fmt.Errorf("there is no failure %q; there are %s", name, strings.Join(names(all), ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}
