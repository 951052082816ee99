package redis_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/redis"
	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// A certificate is checked, and one that is no good is refused with what to change.
func TestTLS(t *testing.T) {
	server := redistest.Start(t)
	addr, authorities := secure(t, server.Addr())
	private := &tls.Config{RootCAs: authorities}

	s := open(t, redis.Options{URL: "rediss://" + addr, TLS: private})
	must(t, s.Add(t.Context(), "k", nil, store.Forever))

	for _, test := range []struct {
		name    string
		options redis.Options
		says    string
	}{
		{"unknown authority", redis.Options{URL: "rediss://" + addr}, "give the authority"},
		{"another host's certificate", redis.Options{URL: "rediss://" + addr, TLS: &tls.Config{RootCAs: authorities, ServerName: "other.test"}}, "host name"},
		{"TLS settings without TLS", redis.Options{URL: server.URL(), TLS: private}, "write rediss://"},
	} {
		// A handshake on a busy machine may take too long for a verdict.
		var err error
		eventually(t, test.name+" is refused", func() bool {
			var s *redis.Store
			if s, err = redis.Open(t.Context(), test.options); err == nil {
				must(t, s.Close())
			}
			return err != nil
		})
		if !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: got %v, want a refusal that says %q", test.name, err, test.says)
		}
	}

	plain := open(t, redis.Options{URL: "rediss://" + server.Addr()})
	if err := plain.Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "may not speak TLS") {
		t.Errorf("Ping of a port without TLS = %v, want ErrUnavailable with a hint", err)
	}
}

// secure puts a TLS port before the one at target, with a certificate that nobody knows but the authorities it returns.
func secure(t *testing.T, target string) (addr string, authorities *x509.CertPool) {
	t.Helper()
	lender := httptest.NewTLSServer(nil)
	lender.Close()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: lender.TLS.Certificates})
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer client.Close()
				server, err := net.Dial("tcp", target)
				if err != nil {
					return
				}
				go func() { _, _ = io.Copy(server, client); _ = server.Close() }()
				_, _ = io.Copy(client, server)
			}()
		}
	}()
	authorities = x509.NewCertPool()
	authorities.AddCert(lender.Certificate())
	return listener.Addr().String(), authorities
}
