package cli

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/api"
	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/config"
	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/node"
)

const socketPatience = 2 * time.Second

// variable reads a variable of the environment.
func (a *app) variable(name string) string {
	i := slices.IndexFunc(a.environment, func(v string) bool { return strings.HasPrefix(v, name+"=") })
	if i < 0 {
		return ""
	}
	return a.environment[i][len(name)+1:]
}

// secretVariable reads a secret from a variable, or from the file that the variable with _FILE names.
func (a *app) secretVariable(name string) (string, error) {
	plain, file := a.variable(name), a.variable(name+"_FILE")
	switch {
	case plain != "" && file != "":
		return "", usage("%s and %s_FILE are both set: keep one of them", name, name)
	case file != "":
		secret, err := config.ReadSecretFile(file)
		if err != nil {
			return "", usage("%s_FILE: %v", name, err)
		}
		return secret, nil
	}
	return plain, nil
}

// configuration loads the configuration, with further flags over it.
func (a *app) configuration(flags ...config.Flag) (*config.Result, error) {
	if a.dataDir != "" {
		flags = append(flags, config.Flag{Name: "data-dir", Path: "data_dir", Value: a.dataDir})
	}
	file := a.configFile
	if file == "" {
		file = a.variable("SAFECONDUCT_CONFIG")
	}
	return config.Load(config.Sources{File: file, Environment: a.environment, Flags: flags})
}

// remote is the server elsewhere that was named, if one was. A flag wins over the environment, also the flags that name
// something on this machine.
func (a *app) remote() (string, error) {
	server := a.server
	switch {
	case server != "" && a.dataDir != "":
		return "", usage("--server and --data-dir name two servers: leave one away")
	case server == "" && a.dataDir == "" && a.configFile == "":
		server = a.variable("SAFECONDUCT_SERVER")
	}
	if server == "" {
		return "", nil
	}
	base, err := api.CheckServer(server)
	if err != nil {
		return "", usage("%v", err)
	}
	return base, nil
}

// call runs an act on the API of the server that was asked for.
func (a *app) call(cmd *cobra.Command, act func(context.Context, *api.Client) error) error {
	ctx := cmd.Context()
	base, err := a.remote()
	if err != nil {
		return err
	}
	if base == "" {
		return a.callLocal(ctx, act)
	}
	token, err := a.secretVariable("SAFECONDUCT_TOKEN")
	if err != nil {
		return err
	}
	if token == "" {
		return &failure{exit: exitNotAllowed, code: "no_token", message: "there is no access token for " + base,
			hint: "Set SAFECONDUCT_TOKEN, or SAFECONDUCT_TOKEN_FILE to a file with one; `safeconduct token get` gets one"}
	}
	return act(ctx, api.Remote(base, token))
}

// callLocal goes to the server that runs on this machine, or works on its data when none does.
func (a *app) callLocal(ctx context.Context, act func(context.Context, *api.Client) error) error {
	loaded, err := a.configuration()
	if err != nil {
		return err
	}
	server, err := localServer(loaded.Socket())
	if err != nil {
		return err
	}
	if server != nil {
		return act(ctx, server)
	}
	material, err := loaded.Open()
	if err != nil {
		return err
	}
	opened, err := node.Open(ctx, node.Options{Config: &loaded.Config, Material: material, Log: a.quietLog()})
	if errors.Is(err, node.ErrNothingThere) && a.dataDir == "" && isFolder(developmentFolder) {
		f := explain(ctx, err)
		f.hint = "The data of `safeconduct dev` are in " + developmentFolder + ": add --data-dir " + developmentFolder
		return f
	}
	if err != nil {
		return err
	}
	a.say("No server runs on " + loaded.StoreName() + "; working on the data directly.")
	return errors.Join(act(ctx, api.InProcess(opened.Server.LocalHandler())), opened.Close())
}

// localServer is the server that listens on a socket; nil if none does.
func localServer(socket string) (*api.Client, error) {
	conn, err := net.DialTimeout("unix", socket, socketPatience)
	switch {
	case err == nil:
		_ = conn.Close()
		return api.Socket(socket), nil
	case errors.Is(err, syscall.EACCES):
		return nil, &failure{exit: exitNotAllowed, code: "access_denied", message: "you may not use the socket " + socket,
			hint: "Run this as the user that the server runs as, or as root"}
	}
	return nil, nil
}

// quietLog lets through what no command can say by itself.
func (a *app) quietLog() *slog.Logger {
	if a.json {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelError}))
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
