package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/templates"
)

// Material is what the files and secrets of a configuration hold.
type Material struct {
	// Secrets are the system secrets, the signing one first; none if the configuration names none.
	Secrets []keys.Secret
	Store   StoreAccess
	// TLS is nil if the server does not speak TLS itself.
	TLS *tls.Certificate
	// Pages are the pages that people see, as ui says.
	Pages *templates.Set
}

// Open reads the files that the configuration names. Its error is of type Errors and holds everything that is wrong.
func (r *Result) Open() (*Material, error) {
	l := &loader{schema: r.schema}
	m := &Material{}
	var at string
	var err error
	refuse := func(path string, err error) {
		if err != nil {
			l.add(l.at(r, path, nil, fault{reason: err.Error()}))
		}
	}
	switch {
	case r.Secrets.Text != "":
		m.Secrets, err = keys.ParseSecrets(r.Secrets.Text)
		refuse(keySecret, err)
	case r.Secrets.File != "":
		m.Secrets, err = keys.LoadFile(r.Secrets.File)
		refuse("secrets.file", err)
	}
	if len(m.Secrets) > 0 {
		_, err = keys.NewRing(m.Secrets...)
		refuse("secrets.file", err)
	}
	m.Store, at, err = r.storeAccess()
	refuse(at, err)
	if r.Server.CertFile != "" {
		m.TLS, err = loadCertificate(r.Server.CertFile, r.Server.KeyFile)
		refuse("server.tls.cert_file", err)
	}
	m.Pages, at, err = r.pages()
	refuse(at, err)
	if len(l.problems) > 0 {
		return nil, l.problems
	}
	return m, nil
}

// pages makes the pages. With an error it names the key that is to blame.
func (r *Result) pages() (*templates.Set, string, error) {
	o := templates.Options{Brand: templates.Brand{Name: r.UI.Name, Accent: r.UI.Accent, AccentDark: r.UI.AccentDark}, Folder: r.UI.TemplatesDir}
	if r.UI.LogoFile != "" {
		logo, err := readLogo(r.UI.LogoFile)
		if err != nil {
			return nil, "ui.logo_file", err
		}
		o.Brand.Logo = logo
	}
	set, err := templates.New(o)
	var blamed *templates.BrandError
	if errors.As(err, &blamed) {
		return nil, brandKeys[blamed.Part], err
	}
	return set, "ui.templates_dir", err
}

// brandKeys are the keys of what can be wrong with a brand.
var brandKeys = map[templates.BrandPart]string{
	templates.PartLogo: "ui.logo_file", templates.PartAccent: "ui.accent", templates.PartAccentDark: "ui.accent_dark",
}

func readLogo(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	logo, err := io.ReadAll(io.LimitReader(file, templates.LogoMax+1))
	if err == nil && len(logo) > templates.LogoMax {
		err = fmt.Errorf("%s is larger than %d KB", path, templates.LogoMax>>10)
	}
	return logo, err
}

func loadCertificate(certFile, keyFile string) (*tls.Certificate, error) {
	if err := checkPrivate(keyFile); err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("load certificate %s with key %s: %w", certFile, keyFile, err)
	}
	return &pair, nil
}

func checkPrivate(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return privateMode(path, info)
}

func privateMode(path string, info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%s has mode %04o, others than its owner could read or change it: run `chmod 600 %s`", path, mode, path)
	}
	return nil
}

// secretMax is more than any secret that is one line.
const secretMax = 4 << 10

// ReadSecretFile reads a secret of one line from a file that only its owner can read.
func ReadSecretFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a regular file", path)
	}
	if err := privateMode(path, info); err != nil {
		return "", err
	}
	secret, err := ReadSecret(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return secret, nil
}

// ReadSecret reads a secret of one line, without the line's end.
func ReadSecret(r io.Reader) (string, error) {
	content, err := io.ReadAll(io.LimitReader(r, secretMax+1))
	if err != nil {
		return "", err
	}
	secret := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	switch {
	case len(content) > secretMax:
		return "", errors.New("the secret is longer than 4 KB")
	case secret == "":
		return "", errors.New("the secret is empty")
	case strings.ContainsAny(secret, "\r\n\x00"):
		return "", errors.New("the secret is more than one line")
	}
	return secret, nil
}
