package config

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// parseListen reads host:port. The host must be there: a server that takes requests from everywhere should have been
// told so.
func parseListen(text string) (string, *fault) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		fix := "Write 127.0.0.1:8080 for this machine alone, or 0.0.0.0:8080 for all networks"
		if _, numeric := strconv.ParseUint(text, 10, 16); numeric == nil {
			fix = "Write 127.0.0.1:" + text + " for this machine alone, or 0.0.0.0:" + text + " for all networks"
		}
		return "", &fault{quote(text) + " is not host:port", fix}
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", &fault{quote(text) + " has no valid port", "Write a number from 0 to 65535 behind the colon"}
	}
	if host == "" {
		return "", &fault{quote(text) + " names no host", "Write 127.0.0.1:" + port + " for this machine alone, or 0.0.0.0:" + port + " for all networks"}
	}
	if _, err := netip.ParseAddr(host); err != nil && !validHostname(host) {
		return "", &fault{quote(text) + " has no valid host", "Write an address such as 127.0.0.1, [::1] or 0.0.0.0"}
	}
	return text, nil
}

// validHostname is the grammar of host names (RFC 1123 §2.1), in lower case. A name of digits and dots alone is a
// broken address.
func validHostname(name string) bool {
	if len(name) > 253 || strings.Trim(name, "0123456789.") == "" {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" ||
			label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return true
}

// parseIssuer reads the issuer: scheme and host alone, and https unless the host is this machine (RFC 8414 §2). Its
// spelling is the one that clients compare, so only one is taken.
func parseIssuer(text string) (string, *fault) {
	const example = "Write it as https://id.example.com"
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return "", &fault{"is not a URL", example}
	}
	bare := u.Scheme + "://" + u.Host
	switch {
	case u.User != nil:
		return "", &fault{"holds a user name or password", "Write " + bare}
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(text, "#"):
		return "", &fault{quote(text) + " has a query or a fragment, which an issuer must not have", "Write " + bare}
	case u.Path != "":
		return "", &fault{quote(text) + " has a path or a slash at its end", "Write " + bare}
	case text != strings.ToLower(text):
		return "", &fault{quote(text) + " has capital letters; clients compare the issuer letter by letter", "Write " + strings.ToLower(bare)}
	case u.Scheme != "https" && u.Scheme != "http":
		return "", &fault{quote(text) + " is not an https URL", example}
	case !validAuthority(u):
		return "", &fault{quote(text) + " has no valid host and port", example}
	case u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80":
		return "", &fault{quote(text) + " names the port that goes without saying; clients leave it out", "Write " + u.Scheme + "://" + strings.TrimSuffix(u.Host, ":"+u.Port())}
	case u.Scheme == "http" && !IsLoopback(u.Hostname()):
		return "", &fault{quote(text) + " is http, which anyone on the way can read", "Write https://" + u.Host + ", also when a proxy in front of the server speaks TLS for it"}
	}
	return text, nil
}

func validAuthority(u *url.URL) bool {
	if strings.HasSuffix(u.Host, ":") {
		return false
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port != strconv.FormatUint(n, 10) {
			return false
		}
	}
	_, err := netip.ParseAddr(u.Hostname())
	return err == nil || validHostname(u.Hostname())
}

// IsLoopback reports whether a host, a name or an address, can only be this machine. Names under .localhost are
// (RFC 6761 §6.3); other names are not looked up.
func IsLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}

func addAllowedHost(c *Config, text string) *fault {
	u, err := url.Parse("//" + text)
	if err != nil || u.Host != text || !validAuthority(u) {
		return &fault{quote(text) + " is not a host", "Write the name as it stands in the Host header, in lower case and with its port if there is one, such as safeconduct:8080"}
	}
	c.Server.AllowedHosts = append(c.Server.AllowedHosts, text)
	return nil
}

func addTrustedProxy(c *Config, text string) *fault {
	network, wrong := parseNetwork(text)
	if wrong == nil && network.Bits() == 0 {
		wrong = &fault{quote(text) + " is everyone: anybody could then choose the address that he seems to come from", "Name the networks of your proxies"}
	}
	if wrong == nil {
		c.Server.TrustedProxies = append(c.Server.TrustedProxies, network)
	}
	return wrong
}

func addNotifyNetwork(c *Config, text string) *fault {
	network, wrong := parseNetwork(text)
	if wrong == nil {
		c.Server.NotifyNetworks = append(c.Server.NotifyNetworks, network)
	}
	return wrong
}

func addCheckNetwork(c *Config, text string) *fault {
	network, wrong := parseNetwork(text)
	if wrong == nil && network.Bits() == 0 {
		wrong = &fault{quote(text) + " is everyone: anybody could then try out tokens", "Name the networks of your proxies"}
	}
	if wrong == nil {
		c.Server.CheckNetworks = append(c.Server.CheckNetworks, network)
	}
	return wrong
}

// parseNetwork reads a network, or an address as the network of itself.
func parseNetwork(text string) (netip.Prefix, *fault) {
	prefix, err := netip.ParsePrefix(text)
	if address, addressErr := netip.ParseAddr(text); addressErr == nil && address.Zone() == "" {
		prefix, err = netip.PrefixFrom(address, address.BitLen()), nil
	}
	switch {
	case err != nil:
		return netip.Prefix{}, &fault{quote(text) + " is not a network", "Write an address such as 10.0.0.7, or a network such as 10.0.0.0/24"}
	case prefix != prefix.Masked():
		return netip.Prefix{}, &fault{quote(text) + " has bits behind its length", "Write " + prefix.Masked().String()}
	}
	return prefix, nil
}
