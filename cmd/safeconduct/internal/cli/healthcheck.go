package cli

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/config"
)

const healthPatience = 2 * time.Second

func (a *app) healthcheckCommand() *cobra.Command {
	var live bool
	var listen string
	cmd := &cobra.Command{
		Use: "healthcheck", Short: "Ask the configured listener whether the server is ready, for containers (exit 0 or 1)", Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			path := "/readyz"
			if live {
				path = "/livez"
			}
			if err := a.checkHealth(cmd, listen, path); err != nil {
				// Containers know 0 and 1 alone.
				return &failure{exit: exitFailed, code: "unhealthy", message: err.Error()}
			}
			return a.show(result{json: encode(map[string]string{"status": "ok"}), human: func(p *page) { p.row("ok") }})
		},
	}
	cmd.Flags().BoolVar(&live, "live", false, "ask only whether the process lives, not whether it is ready")
	cmd.Flags().StringVar(&listen, "listen", "", "address that the server listens on (server.listen)")
	return cmd
}

func (a *app) checkHealth(cmd *cobra.Command, listen, path string) error {
	var flags []config.Flag
	if listen != "" {
		flags = append(flags, config.Flag{Name: "listen", Path: "server.listen", Value: listen})
	}
	loaded, err := a.configuration(flags...)
	if err != nil {
		return err
	}
	scheme := "http"
	if loaded.Server.CertFile != "" {
		scheme = "https"
	}
	request, err := http.NewRequestWithContext(cmd.Context(), http.MethodGet, scheme+"://"+reachable(loaded.Server.Listen)+path, nil)
	if err != nil {
		return err
	}
	client := &http.Client{
		Timeout: healthPatience,
		// The certificate names the issuer and not this address. Nothing is sent that needs a proof of who answers.
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", path, response.Status)
	}
	return nil
}

// reachable is an address at which a listener is reached: one that listens everywhere is reached on this machine.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if address, err := netip.ParseAddr(host); err == nil && address.IsUnspecified() {
		host = "127.0.0.1"
		if address.Is6() {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port)
}
