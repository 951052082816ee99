package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/config"
	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/node"
	"github.com/safeconduct/safeconduct/server"
)

func (a *app) serveCommand() *cobra.Command {
	var listen, level string
	cmd := &cobra.Command{
		Use: "serve", Short: "Run the server", Args: arguments(),
		Long: "Run the server until it is told to stop. With nothing configured it serves this machine alone, with its data in\n" +
			"/var/lib/safeconduct. Logs go to the standard error.",
		Example: example(
			"safeconduct serve --config /etc/safeconduct.yaml", "as the file says",
			"safeconduct user create ada --admin", "beside it: the first administrator",
		),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var flags []config.Flag
			if listen != "" {
				flags = append(flags, config.Flag{Name: "listen", Path: "server.listen", Value: listen})
			}
			if level != "" {
				flags = append(flags, config.Flag{Name: "log-level", Path: "log.level", Value: level})
			}
			loaded, err := a.configuration(flags...)
			if err != nil {
				return err
			}
			material, err := loaded.Open()
			if err != nil {
				return err
			}
			return a.serve(cmd.Context(), &loaded.Config, material)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "", "host:port to take requests on (server.listen)")
	cmd.Flags().StringVar(&level, "log-level", "", "debug, info, warn or error (log.level)")
	return cmd
}

func (a *app) serve(ctx context.Context, c *config.Config, material *config.Material) error {
	for _, folder := range []string{c.DataDir, filepath.Dir(c.DataFile())} {
		if node.IsDevelopment(folder) {
			return &failure{exit: exitConfiguration, code: "config_invalid", message: folder + " was made by `safeconduct dev` and holds a demo user and a demo client",
				hint: "Choose another data_dir"}
		}
	}
	log, flush := newLogger(c.Log, levelOf(c.Log), a.err, a.variable("NO_COLOR") != "")
	defer flush()
	if strings.HasPrefix(c.Issuer, "http://") && !listensLocally(c.Server.Listen) {
		log.Warn("the issuer is plain http, good for this machine alone, but requests are taken from networks too", "issuer", c.Issuer, "listen", c.Server.Listen)
	}
	n, err := node.Open(ctx, node.Options{Config: c, Material: material, Log: log, Create: true, MayWait: true})
	if err != nil {
		return orStopped(ctx, err)
	}
	defer func() { logClose(log, n.Close()) }()
	public, err := net.Listen("tcp", c.Server.Listen)
	if err != nil {
		return fmt.Errorf("listen for requests: %w", err)
	}
	address := public.Addr().String()
	if material.TLS != nil {
		public = tls.NewListener(public, &tls.Config{
			Certificates: []tls.Certificate{*material.TLS}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		})
	}
	return a.run(ctx, n, log, public, running{Issuer: c.Issuer, Listen: address, Socket: c.Socket(), Store: c.StoreName()}, nil)
}

// running is what is told about a server that has begun to serve.
type running struct {
	Issuer string `json:"issuer"`
	Listen string `json:"listen"`
	Socket string `json:"socket"`
	Store  string `json:"store"`
	// Demo is the file with the secrets of the demo.
	Demo string `json:"demo,omitempty"`
}

// run serves until the order to stop comes, and stops at once when it comes again. greet is called when requests are
// taken.
func (a *app) run(ctx context.Context, n *node.Node, log *slog.Logger, public net.Listener, what running, greet func() error) error {
	defer public.Close()
	if a.variable("GOGC") == "" {
		// The live heap is small: a few MiB more of it save most collections.
		debug.SetGCPercent(server.GCPercent)
	}
	n.Hasher.TellBusy(server.HashesBeside(n.Hasher.Workers()))
	local, err := node.ListenSocket(what.Socket)
	if err != nil {
		return err
	}
	defer local.Close()
	ended := make(chan error, 1)
	go func() { ended <- n.Serve(ctx, public, local) }()
	log.Info("serving", "issuer", what.Issuer, "listen", what.Listen, "socket", what.Socket, "store", what.Store, "version", buildVersion().Version)
	switch {
	case a.json:
		err = a.printJSON(encode(what))
	case greet != nil:
		err = greet()
	}
	if err != nil {
		return err
	}
	select {
	case err = <-ended:
		log.Info("stopped")
		return err
	case <-a.again:
		log.Warn("stopped at once; requests under way were cut off")
		return nil
	}
}

// orStopped makes no error of having been told to stop.
func orStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func logClose(log *slog.Logger, err error) {
	if err != nil {
		log.Error("the store was not closed cleanly", "error", err)
	}
}

func listensLocally(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	return err == nil && config.IsLoopback(host)
}
