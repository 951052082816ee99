package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/api"
	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/config"
	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/demo"
	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/node"
)

// developmentFolder is where the dev command keeps its data.
const developmentFolder = "safeconduct-dev"

func (a *app) devCommand() *cobra.Command {
	var listen, level string
	cmd := &cobra.Command{
		Use: "dev", Short: "Run a server with demo data on this machine, to try things out", Args: arguments(),
		Long: "Run a server with a demo user, a demo client and a demo API, and print lines that try them out. Data are kept in\n" +
			"./" + developmentFolder + "; a second start takes them up again. It takes requests from this machine alone, and reads neither a\n" +
			"configuration file nor the environment.",
		Example: example("safeconduct dev", "on http://localhost:8080", "safeconduct dev --listen localhost:9000", "on another port"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.configFile != "" || a.server != "" {
				return usage("dev takes no configuration and no server: it is for trying things out on this machine")
			}
			return a.dev(cmd.Context(), listen, level)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "localhost:8080", "host:port to take requests on; this machine only")
	cmd.Flags().StringVar(&level, "log-level", "info", "debug, info, warn or error")
	return cmd
}

func (a *app) dev(ctx context.Context, listen, level string) error {
	folder := a.dataDir
	if folder == "" {
		folder = developmentFolder
	}
	address, err := loopbackAddress(ctx, listen)
	if err != nil {
		return err
	}
	public, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen for requests: %w", err)
	}
	defer public.Close()
	bound, err := netip.ParseAddrPort(public.Addr().String())
	if err != nil {
		return fmt.Errorf("listen for requests: %w", err)
	}
	c, err := developmentConfig(folder, level, bound)
	if err != nil {
		return err
	}
	// Of the setting up only what goes wrong is told.
	logged := &slog.LevelVar{}
	logged.Set(max(levelOf(c.Log), slog.LevelWarn))
	log, flush := newLogger(c.Log, logged, a.err, a.variable("NO_COLOR") != "")
	defer flush()
	if err := node.MarkDevelopment(folder, c.DataFile(), log); err != nil {
		return err
	}
	n, err := node.Open(ctx, node.Options{Config: c, Material: &config.Material{}, Log: log, Create: true, Demo: true})
	if err != nil {
		return orStopped(ctx, err)
	}
	defer func() { logClose(log, n.Close()) }()
	file, err := demo.Ensure(ctx, api.InProcess(n.Server.LocalHandler()), c.Issuer, folder)
	if err != nil {
		return orStopped(ctx, err)
	}
	logged.Set(levelOf(c.Log))
	what := running{Issuer: c.Issuer, Listen: bound.String(), Socket: c.Socket(), Store: c.StoreName(), Demo: file}
	return a.run(ctx, n, log, public, what, func() error { return a.greet(what, folder) })
}

// developmentConfig is the configuration of a development server: the defaults, on this machine.
func developmentConfig(folder, level string, bound netip.AddrPort) (*config.Config, error) {
	loaded, err := config.Load(config.Sources{NoFile: true, Flags: []config.Flag{
		{Name: "data-dir", Path: "data_dir", Value: folder},
		{Name: "log-level", Path: "log.level", Value: level},
	}})
	if err != nil {
		return nil, err
	}
	c := &loaded.Config
	port := strconv.Itoa(int(bound.Port()))
	c.Issuer = "http://localhost:" + port
	if ip := bound.Addr(); ip != netip.MustParseAddr("127.0.0.1") && ip != netip.IPv6Loopback() {
		c.Issuer = "http://" + bound.String() // the name localhost does not lead there
	}
	c.Server.AllowedHosts = []string{bound.String()}
	c.Server.DrainDelay = 0
	return c, nil
}

// loopbackAddress is the address to listen on, if it can be reached from this machine alone. A name must stand for
// nothing else, and it is looked up once: the address is what is listened on.
func loopbackAddress(ctx context.Context, listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || host == "" {
		return "", usage("--listen %q is not host:port: write localhost:8080", listen)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", usage("--listen %q has no valid port: write localhost:8080", listen)
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return "", usage("--listen %s: %v", listen, err)
	}
	var chosen netip.Addr
	for _, address := range addresses {
		address = address.Unmap()
		if !address.IsLoopback() {
			return "", &failure{exit: exitUsage, code: "usage", message: fmt.Sprintf("--listen %s would let other machines in, and dev has demo users and no TLS", listen),
				hint: "Write localhost:" + port + ". A real server is started by safeconduct serve"}
		}
		if !chosen.IsValid() || address.Is4() && !chosen.Is4() {
			chosen = address
		}
	}
	return net.JoinHostPort(chosen.String(), port), nil
}

// greet prints what to try.
func (a *app) greet(what running, folder string) error {
	if a.quiet {
		_, err := fmt.Fprintln(a.out, what.Issuer)
		return err
	}
	_, err := fmt.Fprintf(a.out, `Safeconduct %[1]s serves %[2]s for development.
Its data and secrets are in %[3]s; delete that folder to start over.

In the browser: open %[2]s/demo/app and sign in as DEMO_USER with DEMO_PASSWORD, which are in
%[5]s. Your account is at %[2]s/account.

Or copy these lines into another terminal, in this folder, one after the other:

%[4]s
The command line reaches this server too, for example:

safeconduct client list --data-dir %[6]s

Not for production: plain HTTP and demo accounts. Press Ctrl-C to stop.
`, buildVersion().Version, what.Issuer, filepath.Clean(folder), demo.Lines(what.Issuer, what.Demo), what.Demo, folder)
	return err
}
