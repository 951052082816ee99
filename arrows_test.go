package safeconduct_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/safeconduct/safeconduct/"

// arrows says which rooms a room may import, and why. Arrows point down only:
// cmd → server → grants, clients, users, resources, keys → store.
var arrows = map[string][]string{
	"store":                     {},                      // the contract stands on the ground
	"store/bolt":                {"store"},               // an engine knows the contract alone
	"store/bolt/bolttest":       {"store", "store/bolt"}, // a store for the tests of other rooms
	"store/redis":               {"store"},               //
	"store/archive":             {"store"},               // copies and backups, whatever the engine
	"store/storetest":           {"store"},               // the suite knows no engine
	"store/storetest/crashtest": {"store"},               // cuts an act at every store call
	"store/storetest/redistest": {},                      // starts real servers for tests
	"keys":                      {"store"},               // keeps the fingerprints of the system secrets there
	"grants":                    {"store", "keys"},       // records, and the keys of token MACs
	"clients":                   {"store", "keys"},       // records, and the spelling and hashing of secrets
	"resources":                 {"store", "keys"},       // the same
	"users":                     {"store"},               // records and counters
	"scopes":                    {},                      // other projects import it
	"scopes/ginscopes":          {"scopes"},              //
	"templates":                 {},                      // pages know nothing of what they show
	"server":                    {"store", "store/archive", "keys", "grants", "clients", "resources", "users", "scopes", "scopes/ginscopes", "templates"},
}

// free are rooms that no other imports and that may import every room: the program itself, and what measures and breaks
// it.
var free = []string{"cmd", "bench", "faults"}

// owners says which rooms alone may import an outside library, tests apart.
var owners = map[string][]string{
	"github.com/go-redis/redis/v8":   {"store/redis", "store/storetest/redistest", "bench"},
	"go.etcd.io/bbolt":               {"store/bolt"},
	"github.com/gin-gonic/gin":       {"server", "scopes/ginscopes", "bench", "examples"},
	"github.com/go-oauth2/oauth2/v4": {"server"},
	"github.com/google/uuid":         {"grants", "users", "clients", "server", "cmd", "bench"},
	"github.com/spf13/cobra":         {"cmd"},
	"github.com/spf13/pflag":         {"cmd"},
	"github.com/lmittmann/tint":      {"cmd"},
	"github.com/mattn/go-isatty":     {"cmd"},
	"github.com/goccy/go-yaml":       {"cmd"},
	"github.com/fxamacker/cbor/v2":   {"grants"},
	"github.com/go-jose/go-jose/v4":  {"keys"},
	"github.com/mileusna/useragent":  {"server"},
	"golang.org/x/crypto":            {"users", "bench"},
	"golang.org/x/net/html":          {"faults"},
	"golang.org/x/sys":               {"server", "bench", "faults"},
	"golang.org/x/term":              {"cmd"},
	"golang.org/x/text":              {"users"},
}

// libraryParts are the only packages of go-oauth2 that may be used: its manager, generators and stores are not safe.
var libraryParts = []string{"", "/errors", "/models", "/server"}

type listed struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); decoder.More(); {
		var p listed
		if err := decoder.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func within(path string, rooms []string) bool {
	return slices.ContainsFunc(rooms, func(room string) bool { return path == room || strings.HasPrefix(path, room+"/") })
}

// The arrows between the rooms point down only, and each outside library has its room.
func TestArrowsPointDown(t *testing.T) {
	for _, p := range packages(t) {
		room, ours := strings.CutPrefix(p.ImportPath, module)
		if !ours {
			continue // the folder of this test
		}
		for _, imported := range p.Imports {
			if target, ours := strings.CutPrefix(imported, module); ours {
				if !within(room, free) && !within(room, []string{"examples"}) && !slices.Contains(arrows[room], target) {
					t.Errorf("%s imports %s, which no arrow allows", room, target)
				}
				if target == "server" && !within(room, free) {
					t.Errorf("%s imports server; only cmd may", room)
				}
				continue
			}
			checkLibrary(t, room, imported)
		}
		if _, known := arrows[room]; !known && !within(room, free) && !within(room, []string{"examples", "store/storetest"}) {
			t.Errorf("the room %s has no entry here: say what it may import, and why", room)
		}
	}
}

func checkLibrary(t *testing.T, room, imported string) {
	t.Helper()
	for library, rooms := range owners {
		if within(imported, []string{library}) && !within(room, rooms) {
			t.Errorf("%s imports %s, which belongs to %v", room, imported, rooms)
		}
	}
	if part, is := strings.CutPrefix(imported, "github.com/go-oauth2/oauth2/v4"); is && !slices.Contains(libraryParts, part) {
		t.Errorf("%s imports %s: its managers, generators and stores must not be used", room, imported)
	}
	if slices.Contains([]string{"scopes", "store", "templates"}, room) && strings.Contains(strings.SplitN(imported, "/", 2)[0], ".") {
		t.Errorf("%s imports %s; it stands on the standard library", room, imported)
	}
}
