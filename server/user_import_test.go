package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/server"
	"github.com/safeconduct/safeconduct/users"
)

// What Django made of the password horse.
const (
	horse      = "correct horse battery"
	djangoHash = "pbkdf2_sha256$1000$pLyDlBl5ah627dkJGQlIjK$8xEM3/aZDi9f/jyPKU6NLnkekugXuBtadNEvVZd+b3M="
	djangoMark = "!I9qGCrgNJXXl3RyJQ0Nh3U5KLSA2Z0Dl2LdHHXem"
)

// results are what an import says of each user: status, username and field.
func results(t *testing.T, a answer) []string {
	t.Helper()
	wantStatus(t, a, http.StatusOK)
	list, _ := a.json["results"].([]any)
	var all []string
	for _, each := range list {
		one, _ := each.(obj)
		text := fmt.Sprint(one["status"])
		for _, name := range []string{"username", "field"} {
			if value, there := one[name]; there {
				text += " " + fmt.Sprint(value)
			}
		}
		if problem, _ := one["problem"].(string); (one["status"] == "refused") != (problem != "") || (one["status"] == "created") != (one["id"] != nil) {
			t.Errorf("odd: %v", one)
		}
		all = append(all, text)
	}
	return all
}

// Who comes from Django gets in by the password of there, at the page and by the grant, and leaves no old hash behind.
func TestImportedPasswordsLogIn(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c := d.client("confidential")
	d.mustAdmin(http.MethodPost, "/users/import", obj{"users": []obj{
		{"username": "ada", "password_hash": djangoHash}, {"username": "gone", "password_hash": djangoHash, "disabled": true}, {"username": "mailonly", "password_hash": djangoMark},
	}})
	d.mustAdmin(http.MethodPost, "/users", obj{"username": "bob", "password_hash": djangoHash, "disabled": false})
	foreign := func(username string) bool {
		t.Helper()
		record, err := d.store.Get(t.Context(), "user/"+d.mustAdmin(http.MethodGet, "/users/"+username, nil).str("id"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(record.Value), djangoHash)
	}
	wantError(t, d.login(c, "ada", "password", "correct horse batterie"), http.StatusBadRequest, "invalid_grant")
	if !foreign("ada") || !foreign("bob") {
		t.Error("before a login the hash is not that of Django")
	}
	d.mustLogin(c, "ada", "password", horse)
	d.mustLogin(c, "ada", "password", horse)
	d.person().enter("bob", "password", horse)
	if foreign("ada") || foreign("bob") {
		t.Error("after a login the hash is still that of Django")
	}
	for _, username := range []string{"gone", "mailonly"} {
		for _, guess := range []string{horse, djangoMark, djangoHash} {
			wantError(t, d.login(c, username, "password", guess), http.StatusBadRequest, "invalid_grant")
		}
	}
	d.mustAdmin(http.MethodPatch, "/users/gone", obj{"disabled": false})
	d.mustLogin(c, "gone", "password", horse)
}

// A user who cannot be made is in nobody's way, and each is told of in the order of the request; of two of one name the
// first has it. A dry run says the same and makes nothing.
func TestImportTellsOfEachUser(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("taken")
	in := []obj{
		{"username": "Ada", "password_hash": djangoHash, "name": "Ada Lovelace", "email": "ada@example.org"}, {"username": "TAKEN"}, {"username": "a da"}, {"username": "ada"},
		{"username": "bob", "password_hash": "md5$salt$0123456789abcdef"}, {"username": "BOB", "password_hash": djangoMark}, {"username": "eve", "password": horse}, {"username": "mo", "email": "x"}, {},
	}
	rest := " ada|exists taken|refused username|exists ada|refused password_hash|%s bob|refused password|refused email|refused username"
	want := func(what string, dry bool, status string) {
		t.Helper()
		got := strings.Join(results(t, d.admin(http.MethodPost, "/users/import", obj{"users": in, "dry_run": dry})), "|")
		if want := status + strings.Replace(rest, "%s", status, 1); got != want {
			t.Errorf("%s: got  %s\nwant %s", what, got, want)
		}
	}
	want("a dry run", true, "new")
	if a := d.mustAdmin(http.MethodGet, "/users", nil); len(a.json["items"].([]any)) != 1 {
		t.Errorf("a dry run made users: %s", a.text)
	}
	want("the run", false, "created")
	want("the run again", false, "exists")
	want("a dry run afterwards", true, "exists")
	a := d.mustAdmin(http.MethodGet, "/users/ada", nil)
	if a.str("name") != "Ada Lovelace" || a.str("email") != "ada@example.org" || strings.Contains(a.text, "pbkdf2") || strings.Contains(a.text, "hash") {
		t.Errorf("got %s", a.text)
	}
}

// No answer and no log line shows a hash, whether it is taken or stands in the wrong place.
func TestImportedHashesAreNeverShown(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	for i, one := range []obj{
		{"password_hash": djangoHash}, {"password_hash": djangoMark}, {"password_hash": "md5$salt$" + djangoHash}, {"password_hash": strings.Repeat(djangoHash, 9)},
		{"password_hash": djangoHash, "password": horse}, {"username": djangoHash}, {"email": djangoHash}, {"password_hash": []string{djangoHash}}, {"admin": djangoHash},
	} {
		if one["username"] == nil {
			one["username"] = fmt.Sprintf("user%d", i)
		}
		text := d.admin(http.MethodPost, "/users/import", obj{"users": []obj{one}, "dry_run": true}).text + d.admin(http.MethodPost, "/users", one).text +
			d.admin(http.MethodPost, "/users/import", obj{"users": []obj{one}}).text + d.admin(http.MethodGet, fmt.Sprintf("/users/user%d", i), nil).text
		if strings.Contains(text, "pLyDlBl5ah627dkJGQlIjK") || strings.Contains(text, djangoMark) {
			t.Errorf("%v: shown by %s", one, text)
		}
	}
	if all := d.log.String(); strings.Contains(all, "pLyDlBl5ah627dkJGQlIjK") || strings.Contains(all, djangoMark) {
		t.Error("the log has a hash")
	}
}

// The limits of a request, and who may send it.
func TestImportIsBounded(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	many := func(n int) []obj {
		all := make([]obj, n)
		for i := range all {
			all[i] = obj{"username": fmt.Sprintf("user%d", i), "password_hash": djangoHash}
		}
		return all
	}
	for _, n := range []int{0, 101} {
		a := d.admin(http.MethodPost, "/users/import", obj{"users": many(n)})
		wantError(t, a, http.StatusBadRequest, "invalid_request")
		if a.str("field") != "users" {
			t.Errorf("%d users: %s", n, a.text)
		}
	}
	wantError(t, d.admin(http.MethodPost, "/users/import", obj{"users": []obj{{"username": "ada", "hash": djangoHash}}}), http.StatusBadRequest, "invalid_request")
	for _, got := range results(t, d.admin(http.MethodPost, "/users/import", obj{"users": many(100)})) {
		if !strings.HasPrefix(got, "created ") {
			t.Errorf("got %s", got)
		}
	}
	body := `{"users":[{"username":"zoe","password_hash":"` + djangoHash + `"}]}`
	wantError(t, d.callJSON(http.MethodPost, "/api/v1/users/import", d.administrator("admin:clients"), body), http.StatusForbidden, "insufficient_scope")
	wantStatus(t, d.callJSON(http.MethodPost, "/api/v1/users/import", d.administrator("admin:users"), body), http.StatusOK)
	audited := strings.Count(d.log.String(), `"event":"user.import"`)
	if audited != 101 {
		t.Errorf("%d audit lines of 101 users", audited)
	}
}

// A user may be named like the path.
func TestAUserNamedImportIsReached(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("import")
	wantStatus(t, d.admin(http.MethodGet, "/users/import", nil), http.StatusOK)
	wantStatus(t, d.admin(http.MethodPost, "/users/import/logout-everywhere", nil), http.StatusNoContent)
	wantStatus(t, d.admin(http.MethodPut, "/users/import/password", obj{"new_password": horse}), http.StatusNoContent)
	wantStatus(t, d.admin(http.MethodDelete, "/users/import", nil), http.StatusNoContent)
}

// Trouble of the store is no fault of the users, and who was made before it is found again by the repetition.
func TestImportWithoutAStoreIsToBeRepeated(t *testing.T) {
	t.Parallel()
	var hasher *users.Hasher
	d := deployBolt(t, func(c *server.Config) { hasher = c.Hasher })
	in := obj{"users": []obj{{"username": "ada", "password_hash": djangoHash}, {"username": "bob"}}}
	d.mustAdmin(http.MethodPost, "/users/import", in)
	if got := hasher.Computed(); got != 0 {
		t.Errorf("an import computed %d hashes", got)
	}
	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}
	wantError(t, d.admin(http.MethodPost, "/users/import", in), http.StatusServiceUnavailable, "temporarily_unavailable")
	in["dry_run"] = true
	wantError(t, d.admin(http.MethodPost, "/users/import", in), http.StatusServiceUnavailable, "temporarily_unavailable")
}
