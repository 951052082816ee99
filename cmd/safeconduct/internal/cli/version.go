package cli

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is what this binary was built from.
type version struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func buildVersion() version {
	v := version{Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if built := info.Main.Version; built != "" && built != "(devel)" {
		v.Version = built
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			v.Revision = setting.Value
		case "vcs.time":
			v.Time = setting.Value
		case "vcs.modified":
			v.Modified = setting.Value == "true"
		}
	}
	return v
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show what this program was built from", Args: arguments(),
		RunE: func(*cobra.Command, []string) error {
			v := buildVersion()
			return a.show(result{json: encode(v), bare: []string{v.Version}, human: func(p *page) {
				p.row("safeconduct " + v.Version)
				p.field("revision", v.Revision)
				p.field("time", v.Time)
				p.field("modified", yes(v.Modified))
				p.field("go", v.Go)
				p.field("platform", v.Platform)
			}})
		},
	}
}
