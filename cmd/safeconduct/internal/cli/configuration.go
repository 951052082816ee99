package cli

import (
	"github.com/spf13/cobra"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/config"
)

func (a *app) configCommand() *cobra.Command {
	return a.group("config", "Check and show the configuration", nil, a.checkConfigCommand(), a.showConfigCommand())
}

func (a *app) checkConfigCommand() *cobra.Command {
	return &cobra.Command{
		Use: "check [FILE]", Short: "Tell everything that is wrong with the configuration (exit 3)", Args: optional("FILE"),
		Long: "Tell everything that is wrong with the configuration, with its place and what to write instead: in the file, the\n" +
			"environment, and the files that they name. The exit code is 3 if there is anything. serve runs the same check.",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				a.configFile = args[0]
			}
			loaded, err := a.configuration()
			if err == nil {
				_, err = loaded.Open()
			}
			if err != nil {
				return err
			}
			where := loaded.File
			if where == "" {
				where = "no file, the environment and defaults alone"
			}
			return a.show(result{
				json:  encode(map[string]any{"ok": true, "file": loaded.File}),
				human: func(p *page) { p.row("The configuration is sound: " + where) },
				words: []string{"Next: safeconduct config show, or safeconduct serve"},
			})
		},
	}
}

func (a *app) showConfigCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "Show the values in effect and where they come from; secrets are masked", Args: arguments(),
		RunE: func(*cobra.Command, []string) error {
			loaded, err := a.configuration()
			if err != nil {
				return err
			}
			effective := loaded.Effective()
			r := result{json: encode(map[string][]config.Effective{"items": effective})}
			for _, e := range effective {
				r.bare = append(r.bare, e.Key+"="+e.Value)
			}
			r.human = func(p *page) {
				p.row("KEY", "VALUE", "ORIGIN", "MEANING")
				for _, e := range effective {
					p.row(e.Key, e.Value, e.Origin, e.Means)
				}
			}
			return a.show(r)
		},
	}
}
