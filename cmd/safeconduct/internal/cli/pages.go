package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/config"
	"github.com/safeconduct/safeconduct/templates"
)

// pagesCommand shows the templates of the pages, for operators who replace some (ui.templates_dir).
func (a *app) pagesCommand() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "List the templates of the pages", Args: arguments(),
		RunE: func(*cobra.Command, []string) error {
			names := templates.Names()
			return a.show(result{json: encode(names), bare: names, human: func(p *page) {
				for _, name := range names {
					p.row(name)
				}
			}})
		},
	}
	show := &cobra.Command{
		Use: "show NAME", Short: "Print a template, to change it and put it into ui.templates_dir", Args: arguments("NAME"),
		Example: example("safeconduct pages show login.html >/etc/safeconduct/pages/login.html", "start from ours"),
		RunE: func(_ *cobra.Command, args []string) error {
			source, found := templates.Source(args[0])
			if !found {
				wrong := usage("there is no template %q", clean(args[0]))
				wrong.hint = "There are " + strings.Join(templates.Names(), ", ")
				if near := config.Nearest(args[0], templates.Names()); near != "" {
					wrong.hint = "Did you mean " + near + "?"
				}
				return wrong
			}
			_, err := fmt.Fprint(a.out, source)
			return err
		},
	}
	return a.group("pages", "See the templates of the pages that people see", nil, list, show)
}
