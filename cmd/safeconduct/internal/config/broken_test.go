package config_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/config"
)

// security.md F25: a typing error in a configuration never passes in silence. Each is refused with its place, the key,
// the reason and what to write.
func TestBrokenConfigurationsAreRefusedWithTheirPlace(t *testing.T) {
	files := brokenFiles()
	if len(files) < 150 {
		t.Errorf("there are %d broken configurations, want at least 150", len(files))
	}
	for i, broken := range files {
		t.Run(fmt.Sprintf("%d %s", i, firstLine(broken.content)), func(t *testing.T) {
			_, err := config.Parse("c.yaml", []byte(broken.content))
			var problems config.Errors
			if !errors.As(err, &problems) {
				t.Fatalf("got %v, want it refused", err)
			}
			for _, p := range problems {
				if strings.HasPrefix(p.String(), "c.yaml:"+broken.place) && strings.Contains(p.String(), broken.says) {
					return
				}
			}
			t.Errorf("got\n%v\nwant c.yaml:%s… %q", err, broken.place, broken.says)
		})
	}
}

// Whoever mends a file wants to mend it once.
func TestAllProblemsAreToldAtOnce(t *testing.T) {
	const content = `issuer: http://id.example.com
server: {listen: 8080, lissten: x}
tokens: {access_ttl: 300, refresh_max_ttl: 1d}
log: {level: loud}
surprise: 1
`
	_, err := config.Parse("c.yaml", []byte(content))
	var problems config.Errors
	if !errors.As(err, &problems) {
		t.Fatalf("got %v", err)
	}
	var got []string
	for _, p := range problems {
		got = append(got, p.Key)
	}
	want := "issuer server.listen server.lissten tokens.access_ttl log.level surprise tokens.refresh_max_ttl"
	if strings.Join(got, " ") != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !strings.HasSuffix(err.Error(), "\n7 errors") {
		t.Errorf("the count is missing: %v", err)
	}
}

// The message shows the line with a mark below the place, as compilers do.
func TestErrorShowsTheLine(t *testing.T) {
	_, err := config.Parse("c.yaml", []byte("log:\n  level: loud\n"))
	const want = `c.yaml:2:10: log.level: "loud" is unknown. Use debug, info, warn or error
   2 |   level: loud
                ^
1 error`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

// LS-01: error messages end up in logs and tickets.
func TestErrorsNeverShowWhatMayBeSecret(t *testing.T) {
	for _, content := range []string{
		"store:\n  pasword: hunter2\n",
		"store:\n  password: hunter2\n",
		"store:\n  password: \"hunter2\n",
		"store:\n  password: [hunter2]\n",
		"store:\n  password: |\n    hunter2\n",
		"store:\n  password: {hunter2: hunter2\n",
		"store:\n  url: redis://user:hunter2@localhost?x=1\n",
		"store:\n  url: redis://user:hunter2@localhost\n",
		"store:\n  url: redis://user:hunter2%zz@localhost\n",
		"store:\n  url: user:hunter2@localhost\n",
		"store:\n  url: postgres://user:hunter2@localhost/x\n",
		"store:\n  url: redis+cluster://:hunter2@a,b\n",
		"store:\n  url: redis+cluster://a,:hunter2@\n",
		"store:\n  url: redis+sentinel://a/main\n  sentinel_password: hunter2\n",
		"store: hunter2\n",
		"secrets: hunter2\n",
		"secrets:\n  text: hunter2\n",
		"issuer: https://user:hunter2@id.example.com\n",
		"issuer: https://user:hunter2@id.example.com/%zz\n",
		"password: hunter2\n",
	} {
		_, err := config.Parse("c.yaml", []byte(content))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got %v", content, err)
		}
	}
}

// The parser meets whatever an editor leaves behind; it must refuse it and go on living.
func FuzzParse(f *testing.F) {
	for _, broken := range brokenFiles() {
		if len(broken.content) < 1000 {
			f.Add([]byte(broken.content))
		}
	}
	f.Add([]byte(soundFile))
	f.Fuzz(func(t *testing.T, content []byte) {
		r, err := config.Parse("c.yaml", content)
		if err == nil {
			r.Effective()
			return
		}
		var problems config.Errors
		if !errors.As(err, &problems) || len(problems) == 0 || err.Error() == "" {
			t.Fatalf("got %v", err)
		}
		for _, p := range problems {
			if p.Reason == "" || p.Line < 1 || p.Column < 1 {
				t.Fatalf("a problem without a reason or place: %+v", p)
			}
		}
	})
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line[:min(len(line), 40)]
}
