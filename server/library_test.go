package server_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Of go-oauth2 only the packages that hold the protocol's words and the token endpoint's order are used, and only here. Its
// managers, token generators and stores check no client at a refresh, spend codes twice and keep tokens in clear.
func TestOnlyTheSafePartsOfGoOAuth2AreUsed(t *testing.T) {
	t.Parallel()
	const library = "github.com/go-oauth2/oauth2/v4"
	allowed := map[string]bool{library: true, library + "/errors": true, library + "/models": true, library + "/server": true}
	found := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			name, _ := strconv.Unquote(spec.Path.Value)
			if !strings.HasPrefix(name, "github.com/go-oauth2/") {
				continue
			}
			found++
			if !allowed[name] {
				t.Errorf("%s imports %s", path, name)
			}
			if filepath.Base(filepath.Dir(path)) != "server" {
				t.Errorf("%s imports %s; only server may", path, name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found == 0 {
		t.Error("no import of go-oauth2 was found")
	}
}

// What is left out of go-oauth2's server answers requests by itself: it redirects errors to any URL, writes 500 for the
// mistakes of clients, and takes tokens from query strings.
func TestOnlyTheStepsOfTheTokenEndpointAreCalled(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range []string{
			"HandleAuthorizeRequest", "ValidationAuthorizeRequest", "GetRedirectURI", "HandleTokenRequest", "ValidationBearerToken", "GetErrorData", "SetAllowGetAccessRequest",
			"AllowGetAccessRequest", "errors.StatusCodes", "errors.Descriptions",
		} {
			if strings.Contains(string(source), call) {
				t.Errorf("%s uses %s of go-oauth2", path, call)
			}
		}
	}
}
