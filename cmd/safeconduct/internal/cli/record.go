package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/api"
)

// kind is a kind of records of the API: clients, users or resources. What the commands on them have in common is here.
type kind[T any] struct {
	app  *app
	noun string // singular; the command's name
	path string // below the API's path
	arg  string // what names a record on the command line
	// name is what a record is named by.
	name func(T) string
	// show lays out one record, heads and row a list of them.
	show  func(*page, T)
	heads []string
	row   func(T) []string
}

// at is the path of one record.
func (k *kind[T]) at(name string) string { return k.path + "/" + url.PathEscape(name) }

func (k *kind[T]) about(err error, name string) error {
	return about(err, k.noun, name, "safeconduct "+k.noun+" list")
}

// call makes one call on a record and decodes the answer.
func (k *kind[T]) call(cmd *cobra.Command, method, name, below string, in any) (json.RawMessage, T, error) {
	var raw json.RawMessage
	var record T
	err := k.app.call(cmd, func(ctx context.Context, server *api.Client) error {
		var err error
		raw, err = server.Call(ctx, method, k.at(name)+below, in)
		return k.about(err, name)
	})
	if err == nil && len(raw) > 0 {
		err = decode(raw, &record)
	}
	return raw, record, err
}

// decode reads an answer of the server.
func decode(raw json.RawMessage, into any) error {
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("read the answer of the server: %w", err)
	}
	return nil
}

func (k *kind[T]) listCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List all " + k.noun + "s", Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var raw json.RawMessage
			var found api.Page[T]
			err := k.app.call(cmd, func(ctx context.Context, server *api.Client) (err error) {
				raw, err = server.List(ctx, k.path)
				return err
			})
			if err == nil {
				err = decode(raw, &found)
			}
			if err != nil {
				return err
			}
			return k.app.show(listed(raw, found.Items, k.noun, k.name, k.heads, k.row))
		},
	}
}

// listed is a list in its three forms.
func listed[T any](raw json.RawMessage, items []T, noun string, name func(T) string, heads []string, row func(T) []string) result {
	r := result{json: raw, words: []string{counted(len(items), noun)}}
	for _, item := range items {
		r.bare = append(r.bare, name(item))
	}
	r.human = func(p *page) {
		if len(items) == 0 {
			return
		}
		p.row(heads...)
		for _, item := range items {
			p.row(row(item)...)
		}
	}
	return r
}

func (k *kind[T]) getCommand() *cobra.Command {
	return &cobra.Command{
		Use: "get " + k.arg, Short: "Show one " + k.noun, Args: arguments(k.arg),
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, record, err := k.call(cmd, http.MethodGet, args[0], "", nil)
			if err != nil {
				return err
			}
			return k.app.show(result{json: raw, bare: []string{k.name(record)}, human: func(p *page) { k.show(p, record) }})
		},
	}
}

// edit sends a change and shows what came of it.
func (k *kind[T]) edit(cmd *cobra.Command, name string, change map[string]any, words ...string) error {
	raw, record, err := k.call(cmd, http.MethodPatch, name, "", change)
	if err != nil {
		return err
	}
	return k.app.show(result{json: raw, bare: []string{k.name(record)}, human: func(p *page) { k.show(p, record) }, words: words})
}

func (k *kind[T]) deleteCommand(what string) *cobra.Command {
	var agreed bool
	cmd := &cobra.Command{
		Use: "delete " + k.arg, Short: "Delete a " + k.noun + what, Args: arguments(k.arg),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := k.app.confirm(cmd.Context(), agreed, "Deleting "+k.noun+" "+args[0]); err != nil {
				return err
			}
			if _, _, err := k.call(cmd, http.MethodDelete, args[0], "", nil); err != nil {
				return err
			}
			return k.app.show(result{words: []string{"Deleted " + k.noun + " " + args[0]}})
		},
	}
	cmd.Flags().BoolVar(&agreed, "yes", false, "do not ask")
	return cmd
}

// switchCommands are disable and enable.
func (k *kind[T]) switchCommands(disabling, enabling string) []*cobra.Command {
	command := func(verb, short, done string, disabled bool) *cobra.Command {
		return &cobra.Command{
			Use: verb + " " + k.arg, Short: short, Args: arguments(k.arg),
			RunE: func(cmd *cobra.Command, args []string) error {
				raw, record, err := k.call(cmd, http.MethodPatch, args[0], "", map[string]any{"disabled": disabled})
				if err != nil {
					return err
				}
				return k.app.show(result{json: raw, bare: []string{k.name(record)}, words: []string{done + " " + k.noun + " " + args[0]}})
			},
		}
	}
	return []*cobra.Command{
		command("disable", disabling, "Disabled", true),
		command("enable", enabling, "Enabled", false),
	}
}

// changes collects what the given flags of a command change, by the names of the API.
func changes(cmd *cobra.Command, values map[string]any, names map[string]string) (map[string]any, error) {
	change := make(map[string]any)
	for flag, name := range names {
		if cmd.Flags().Changed(flag) {
			change[name] = values[flag]
		}
	}
	if len(change) == 0 {
		return nil, usage("say what to change: %s --help lists the flags", cmd.CommandPath())
	}
	return change, nil
}
