package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fromDjango writes a file of people with unusable passwords, as many as are wanted.
func fromDjango(t *testing.T, folder string, count int) string {
	t.Helper()
	var text strings.Builder
	text.WriteString("username,password\n")
	for i := range count {
		fmt.Fprintf(&text, "user%d,!\n", i)
	}
	path := filepath.Join(folder, "users.csv")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The whole way: a file of Django's, a command, and a login by the password of there. The hash is what Django makes of a
// password by default.
func TestImportedUserLogsIn(t *testing.T) {
	t.Parallel()
	folder := folder(t)
	p := start(t, folder, nil, "dev", "--listen", "localhost:0", "--data-dir", "d")
	const line = `{"model": "auth.user", "pk": 1, "fields": {"username": "ada", "is_active": true, "password": "pbkdf2_sha256$1000000$15yvJFthsh0Yx5LTypN55Z$bztlXWi3caGXccP/r7T8v3Ci+ZypCG7KYScBJAB7W6Y="}}`
	must(t, folder, line, nil, "user", "import", "-", "--hash", "django", "--data-dir", "d")
	demo := demoFile(t, filepath.Join(folder, "d"))
	demo["DEMO_USER"], demo["DEMO_PASSWORD"] = "ada", "correct horse battery"
	for range 2 { // by Django's hash, and by ours
		logIn(t, p.Issuer, demo, "orders:read")
	}
}

// Whoever waits for a long import sees how far it is: in lines that a log can keep where there is no terminal.
func TestImportTellsHowFarItIs(t *testing.T) {
	t.Parallel()
	folder := folder(t)
	start(t, folder, nil, "dev", "--listen", "localhost:0", "--data-dir", "d")
	file := fromDjango(t, folder, 5100)
	r := run(t, folder, "", nil, "user", "import", file, "--hash", "django", "--dry-run", "--data-dir", "d")
	if r.code != 0 || !strings.Contains(r.stderr, "5,000 users, ") || strings.ContainsAny(r.stderr, "\r\x1b") {
		t.Errorf("exit %d, %q", r.code, r.stderr)
	}
	if !strings.Contains(strings.Join(strings.Fields(r.stdout), " "), "would be created 5,100") {
		t.Errorf("got %s", r.stdout)
	}
	if r := run(t, folder, "", nil, "user", "import", file, "--hash", "django", "--dry-run", "--data-dir", "d", "--quiet"); r.stderr != "" || r.stdout != "5100\n" {
		t.Errorf("quiet: %q, %q", r.stdout, r.stderr)
	}
}

// A record without an end must not bring the whole file into memory.
func TestImportOfAnEndlessRecordStops(t *testing.T) {
	t.Parallel()
	folder := folder(t)
	start(t, folder, nil, "dev", "--listen", "localhost:0", "--data-dir", "d")
	endless := strings.Repeat(strings.Repeat("x", 1<<10)+"\n", 4<<10)
	for name, text := range map[string]string{
		"a quote":  "username,password\nfine,!\n\"" + endless,
		"a line":   `{"username":"fine","password":"!"}` + "\n{\"" + strings.ReplaceAll(endless, "\n", ""),
		"a list":   `[{"username":"fine","password":"!"},` + "\n{\"" + endless,
		"an array": "[" + strings.Repeat("[", 4<<20),
	} {
		r := run(t, folder, text, nil, "user", "import", "-", "--hash", "django", "--existing", "skip", "--data-dir", "d")
		if r.code != 1 || len(r.stderr) > 1000 || !strings.Contains(r.stderr, "error: ") {
			t.Errorf("%s: exit %d, %.1000s", name, r.code, r.stderr)
		}
	}
	must(t, folder, "", nil, "user", "get", "fine", "--data-dir", "d")
}
