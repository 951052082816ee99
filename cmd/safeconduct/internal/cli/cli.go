// Package cli is the command line: noun, then verb. Data goes to the standard output and words to the standard error;
// secrets are never taken from arguments and never printed unless they are what was asked for. Every command on data is
// a thin call of the server's own API, over the network, over the unix socket of a running server, or in this process.
//
// It is the only reader of flags and of the environment.
package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/config"
)

// app is one run of the command line.
type app struct {
	in          *os.File
	out, err    io.Writer
	environment []string
	// again is closed when the order to stop has come a second time.
	again chan struct{}

	json, quiet                 bool
	configFile, dataDir, server string
}

// Main runs the command line of this process and returns its exit code.
func Main() int {
	// Whatever is written is for its owner alone.
	syscall.Umask(0o077)
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, environment: os.Environ(), again: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		close(a.again)
	}()
	root := a.root()
	root.SetArgs(os.Args[1:])
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	// A mistake in front of --json must not hide that it was asked for.
	a.json = a.json || slices.Contains(os.Args[1:], "--json")
	return a.report(ctx, err)
}

func (a *app) root() *cobra.Command {
	root := a.group("safeconduct", "OAuth 2 authorization server", nil,
		a.devCommand(), a.serveCommand(), a.clientCommand(), a.userCommand(), a.resourceCommand(), a.grantCommand(),
		a.tokenCommand(), a.apiKeyCommand(), a.keyCommand(), a.storeCommand(), a.pagesCommand(), a.configCommand(), a.healthcheckCommand(), a.versionCommand())
	root.Long = "Safeconduct is an OAuth 2 authorization server. `safeconduct dev` starts one to try out, `safeconduct serve` a real one."
	root.Example = example(
		"safeconduct dev", "a server with demo data on this machine",
		"safeconduct serve --config safeconduct.yaml", "a real server",
		"safeconduct user create ada --admin", "the first administrator",
		"safeconduct client list --json", "data for a program",
	)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(flagError)
	flags := root.PersistentFlags()
	flags.SortFlags = false
	flags.StringVarP(&a.configFile, "config", "c", "", "configuration file (default ./"+config.DefaultFile+" if there is one; SAFECONDUCT_CONFIG)")
	flags.StringVar(&a.dataDir, "data-dir", "", "data directory of the server (data_dir)")
	flags.StringVar(&a.server, "server", "", "URL of a server elsewhere (SAFECONDUCT_SERVER), with an access token in SAFECONDUCT_TOKEN or SAFECONDUCT_TOKEN_FILE")
	flags.BoolVar(&a.json, "json", false, "print JSON, errors too")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "print bare values alone, one on each line")
	return root
}

// group is a command that only has others below it.
func (a *app) group(use, short string, aliases []string, below ...*cobra.Command) *cobra.Command {
	group := &cobra.Command{
		Use: use, Short: short, Aliases: aliases,
		SuggestionsMinimumDistance: 2,
		// What is wrong is the verb, not the flags behind it.
		FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			if !cmd.HasParent() {
				return cmd.Help()
			}
			return usage("say what to do: %s", strings.Join(names(cmd), ", "))
		},
		Args: cobra.ArbitraryArgs,
	}
	group.AddCommand(below...)
	return group
}

func names(cmd *cobra.Command) []string {
	var all []string
	for _, below := range cmd.Commands() {
		if below.IsAvailableCommand() {
			all = append(all, below.Name())
		}
	}
	return all
}

func unknownCommand(cmd *cobra.Command, word string) error {
	wrong := usage("unknown command %q for %q", clean(word), cmd.CommandPath())
	if similar := cmd.SuggestionsFor(word); len(similar) > 0 {
		wrong.hint = "Did you mean " + cmd.CommandPath() + " " + strings.Join(similar, " or ") + "?"
	} else {
		wrong.hint = "There are " + strings.Join(names(cmd), ", ")
	}
	return wrong
}

// flagError adds what was most likely meant to the error about a flag.
func flagError(cmd *cobra.Command, err error) error {
	wrong := usage("%s", err.Error())
	wrong.hint = cmd.CommandPath() + " --help lists the flags"
	if name, unknown := strings.CutPrefix(err.Error(), "unknown flag: --"); unknown {
		var known []string
		cmd.Flags().VisitAll(flagNames(&known))
		cmd.InheritedFlags().VisitAll(flagNames(&known))
		if near := config.Nearest(name, known); near != "" {
			wrong.hint = "Did you mean --" + near + "?"
		}
	}
	return wrong
}

// arguments demands arguments of these names; a last name that ends with … stands for one or more.
func arguments(wanted ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		least, most := len(wanted), len(wanted)
		if least > 0 && strings.HasSuffix(wanted[least-1], "…") {
			most = 1000
		}
		switch {
		case len(args) < least:
			return usage("%s is missing: %s", wanted[len(args)], cmd.UseLine())
		case len(args) > most:
			return usage("there is an argument too many: %s", cmd.UseLine())
		}
		for i, arg := range args {
			if arg == "" {
				return usage("%s is empty", wanted[min(i, least-1)])
			}
		}
		return nil
	}
}

// optional allows one argument.
func optional(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return arguments(name)(cmd, args)
	}
}

// example lays out pairs of a command and what it does.
func example(pairs ...string) string {
	width := 0
	for i := 0; i < len(pairs); i += 2 {
		width = max(width, len(pairs[i]))
	}
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(&b, "  %-*s   # %s\n", width, pairs[i], pairs[i+1])
	}
	return strings.TrimSuffix(b.String(), "\n")
}
