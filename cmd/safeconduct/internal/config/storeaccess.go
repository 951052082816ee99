package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// StoreAccess is what it takes to reach a store in Redis beside what Store says.
type StoreAccess struct {
	Password string
	// SentinelPassword is that of the sentinels, if there are any that ask for one.
	SentinelPassword string
	// TLS is nil unless the store is to be reached by TLS in a way of its own.
	TLS *tls.Config
}

// StoreAccess reads the files for reaching the store alone, for who works on nothing else.
func (r *Result) StoreAccess() (StoreAccess, error) {
	access, at, err := r.storeAccess()
	if err != nil {
		l := &loader{schema: r.schema}
		l.add(l.at(r, at, nil, fault{reason: err.Error()}))
		return StoreAccess{}, l.problems
	}
	return access, nil
}

// storeAccess is StoreAccess. With an error it names the key that is to blame.
func (r *Result) storeAccess() (access StoreAccess, at string, err error) {
	access = StoreAccess{Password: r.Store.Password, SentinelPassword: r.Store.SentinelPassword}
	if r.Store.PasswordFile != "" {
		if access.Password, err = ReadSecretFile(r.Store.PasswordFile); err != nil {
			return access, "store.password_file", err
		}
	}
	if r.Store.SentinelPasswordFile != "" {
		if access.SentinelPassword, err = ReadSecretFile(r.Store.SentinelPasswordFile); err != nil {
			return access, "store.sentinel_password_file", err
		}
	}
	access.TLS, at, err = r.storeTLS()
	return access, at, err
}

// storeTLS makes the settings for TLS to the store, if there are any. With an error it names the key that is to blame.
func (r *Result) storeTLS() (*tls.Config, string, error) {
	s := r.Store
	if s.CAFile+s.CertFile+s.ServerName == "" {
		return nil, "", nil
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.ServerName}
	if s.CAFile != "" {
		text, err := os.ReadFile(s.CAFile)
		if err != nil {
			return nil, "store.tls.ca_file", err
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(text) {
			return nil, "store.tls.ca_file", fmt.Errorf("%s holds no certificate in PEM", s.CAFile)
		}
	}
	if s.CertFile != "" {
		pair, err := loadCertificate(s.CertFile, s.KeyFile)
		if err != nil {
			return nil, "store.tls.cert_file", err
		}
		settings.Certificates = []tls.Certificate{*pair}
	}
	return settings, "", nil
}
