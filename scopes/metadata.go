package scopes

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// metadataPath is put between the host and the path of a resource (RFC 9728 section 3).
const metadataPath = "/.well-known/oauth-protected-resource"

// Metadata says where the tokens for an API come from (RFC 9728): a client that was refused finds it by the header of the
// answer, when Guard.ResourceMetadata is its URL. It is an http.Handler:
//
//	metadata := scopes.Metadata{Resource: "https://orders.example.com", AuthorizationServers: []string{"https://id.example.com"}}
//	mux.Handle(metadata.Path(), metadata)
//	guard := scopes.Guard{Checker: checker, ResourceMetadata: metadata.URL()}
type Metadata struct {
	// Resource is the identifier of the API, as in the audience of its tokens: an https URL without fragment, or http to a
	// loopback address.
	Resource string `json:"resource"`
	// AuthorizationServers are the issuers whose tokens the API accepts.
	AuthorizationServers []string `json:"authorization_servers"`
	// Scopes are what clients can ask for. Those for a few only may be left out.
	Scopes []string `json:"scopes_supported,omitempty"`
	// BearerMethods are the ways to send a token (RFC 6750 section 2). None stand for "header", the only one that this package
	// reads.
	BearerMethods []string `json:"bearer_methods_supported"`
	// Name is the API's name for people.
	Name string `json:"resource_name,omitempty"`
	// Documentation is the URL of a page for developers.
	Documentation string `json:"resource_documentation,omitempty"`
}

// URL returns where the metadata must be found (RFC 9728 section 3.1): clients look nowhere else. It panics when Resource is no good,
// or an authorization server or a scope: these are mistakes in the program.
func (m Metadata) URL() string {
	u := m.parse()
	address := u.Scheme + "://" + u.Host + wellKnown(u)
	if u.RawQuery != "" {
		address += "?" + u.RawQuery
	}
	return address
}

// Path returns the path of URL, to mount the handler at. It panics where URL does.
func (m Metadata) Path() string { return wellKnown(m.parse()) }

func wellKnown(resource *url.URL) string {
	path := resource.EscapedPath()
	if path == "/" {
		path = "" // §3.1: a slash after the host is left out, one at the end of a path is not
	}
	return metadataPath + path
}

func (m Metadata) parse() *url.URL {
	if err := m.Check(); err != nil {
		panic("scopes: metadata: " + err.Error())
	}
	u, _ := url.Parse(m.Resource) // was checked
	return u
}

// Check returns what is wrong with the metadata, where URL and Path would panic: for a Resource that comes from a configuration.
func (m Metadata) Check() error {
	if strings.Contains(m.Resource, "#") || !printable(m.Resource) {
		return errors.New("the resource must be a URL without fragment")
	}
	for _, each := range append([]string{m.Resource}, m.AuthorizationServers...) {
		if err := checkEndpoint("resource or issuer", each, false); err != nil {
			return err
		}
	}
	if len(m.AuthorizationServers) == 0 {
		return errors.New("an authorization server is needed")
	}
	_, err := NewSet(m.Scopes...)
	return err
}

// ServeHTTP answers with the metadata. It is public, also for scripts of other origins.
func (m Metadata) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "GET or HEAD only", http.StatusMethodNotAllowed)
		return
	}
	if len(m.BearerMethods) == 0 {
		m.BearerMethods = []string{"header"}
	}
	body, _ := json.Marshal(m) // texts: this cannot fail
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("X-Content-Type-Options", "nosniff")
	w.Write(append(body, '\n'))
}
