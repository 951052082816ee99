package main_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt"
	"github.com/safeconduct/safeconduct/store/redis"
	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// Who moves to Redis, or back, logs nobody out and revives nothing: what was issued before the copy is good after it, what was
// revoked stays revoked, and limits go on counting.
func TestTokensLiveThroughAMoveToRedisAndBack(t *testing.T) {
	t.Parallel()
	there := redistest.Start(t).URL()
	i := install(t)
	tokens := map[string]string{"machine": i.machine(), "revoked machine": i.machine()}
	var refresh, revokedRefresh string
	tokens["user"], refresh = i.login()
	tokens["revoked user"], revokedRefresh = i.login()
	i.revoke("robot", tokens["revoked machine"])
	i.revoke("app", revokedRefresh)
	i.want("before", tokens, "machine", "user")
	tokens["key"] = i.apiKey()

	// A store in use is not copied.
	if r := i.run("store", "copy", "--to", there); r.code != 7 || !strings.Contains(r.stderr, "in use by process") {
		t.Errorf("while the server runs: %+v", r)
	}
	i.server.end(t)
	r := i.run("store", "copy", "--to", there, "--verify")
	if r.code != 0 || !strings.Contains(r.stderr, "Verified") {
		t.Fatalf("copy: %+v", r)
	}

	i.useRedis(there)
	i.start()
	i.want("on Redis", tokens, "machine", "user", "key")
	if status, _ := i.post("/oauth/token", "app", "grant_type", "refresh_token", "refresh_token", revokedRefresh); status != http.StatusBadRequest {
		t.Errorf("the refresh token that was revoked: %d", status)
	}
	tokens["refreshed"], _ = i.tokens("app", "grant_type", "refresh_token", "refresh_token", refresh)
	// The index of the user's grants came along: the oldest ends when there are too many.
	for range grants.CapPerClient {
		i.login()
	}
	i.want("over the limit", tokens, "machine", "key")
	tokens["later"] = i.machine()

	// And back. The running server on Redis is noticed.
	back := []string{"store", "copy", "--to", "bolt:back/data.db", "--verify"}
	if r := i.run(back...); r.code != 6 || !strings.Contains(r.stderr, "in use by 1 server") || exists(filepath.Join(i.folder, "back", "data.db")) {
		t.Errorf("while the server runs: %+v", r)
	}
	i.server.end(t)
	eventually(t, "Redis to forget the server", func() bool { return i.run(back...).code == 0 })
	i.env = []string{"SAFECONDUCT_STORE_URL=bolt://" + filepath.Join(i.folder, "back", "data.db")}
	i.start()
	i.want("back", tokens, "machine", "key", "later")
	i.login()
}

// Who names both ends of a copy needs nothing of the configured store: its password may be gone, or be somebody else's.
func TestCopyReadsOnlySecretsThatItNeeds(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.server.end(t)
	i.useRedis("redis://127.0.0.1:1")
	i.env = append(i.env, "SAFECONDUCT_STORE_PASSWORD_FILE="+filepath.Join(i.folder, "gone"))
	if r := i.run("store", "copy", "--from", "bolt:d/data.db", "--to", "bolt:copied.db", "--verify"); r.code != 0 {
		t.Errorf("both ends are named: %+v", r)
	}
	if r := i.run("store", "copy", "--from", "bolt:d/data.db"); r.code != 3 || !strings.Contains(r.stderr, "store.password_file") && !strings.Contains(r.stderr, "STORE_PASSWORD_FILE") {
		t.Errorf("to the configured store without its password: %+v", r)
	}
}

// What a thief had must not come back with a backup: where that was asked for, nothing that was granted lives when the
// first server starts, and those are told who verify signed tokens without asking.
func TestRestorationEndsEverythingIfAsked(t *testing.T) {
	t.Parallel()
	i := install(t, "--format", "jwt")
	tokens := map[string]string{"machine": i.machine()}
	var refresh string
	tokens["user"], refresh = i.login()
	tokens["key"] = i.apiKey()
	i.must("", "store", "backup", "b")
	i.revoke("robot", tokens["machine"])
	// In the time that the restoration undoes, a client begins its next epoch and gets a token in it.
	i.must("", "client", "disable", "robot")
	i.must("", "client", "enable", "robot")
	undone := i.machine()
	i.server.end(t)

	i.must("", "store", "restore", "b", "--keep-sessions", "--replace", "--yes")
	i.start()
	i.want("kept", tokens, "machine", "user", "key") // also the one that was revoked: the restoration says so
	i.server.end(t)

	i.must("", "store", "restore", "b", "--end-all-sessions", "--replace", "--yes")
	i.start()
	i.want("ended", tokens)
	if status, _ := i.post("/oauth/token", "app", "grant_type", "refresh_token", "refresh_token", refresh); status != http.StatusBadRequest {
		t.Errorf("the refresh token: %d", status)
	}
	_, feed := i.send(http.MethodGet, "/oauth/revocations", "orders", "")
	told := fmt.Sprint(feed["entries"])
	for _, token := range []string{tokens["machine"], tokens["user"]} {
		if epoch := "epoch:" + epochOf(t, token) + " "; !strings.Contains(told, epoch) {
			t.Errorf("the feed does not tell of the %s: %s", epoch, told)
		}
	}
	// Everybody may come again, in epochs that were never before; what was signed in the time that is undone is signed by a
	// key that nobody finds any more.
	tokens["machine"] = i.machine()
	if epochOf(t, tokens["machine"]) == epochOf(t, undone) {
		t.Errorf("a new token is of the epoch %s, as one of the time that is undone", epochOf(t, undone))
	}
	header, _ := base64.RawURLEncoding.DecodeString(strings.Split(undone, ".")[0])
	var signed struct{ Kid string }
	if err := json.Unmarshal(header, &signed); err != nil || signed.Kid == "" {
		t.Fatalf("header %s: %v", header, err)
	}
	if _, published := i.send(http.MethodGet, "/.well-known/jwks.json", "", ""); strings.Contains(fmt.Sprint(published), signed.Kid) {
		t.Errorf("the key of the time that is undone is still published: %v", published)
	}
	tokens["user"], _ = i.login()
	i.want("again", tokens, "machine", "user")
}

// The same holds where the backup is put into Redis.
func TestRestorationIntoRedisEndsEverythingIfAsked(t *testing.T) {
	t.Parallel()
	i := install(t)
	tokens := map[string]string{"machine": i.machine(), "key": i.apiKey()}
	tokens["user"], _ = i.login()
	i.must("", "store", "backup", "b")
	i.server.end(t)
	i.useRedis(redistest.Start(t).URL())
	i.must("", "store", "restore", "b", "--keep-sessions")
	i.start()
	i.want("kept", tokens, "machine", "user", "key")
	i.must("", "store", "backup", "online")
	if r := i.run("store", "restore", "online", "--end-all-sessions", "--replace", "--yes"); r.code != 6 || !strings.Contains(r.stderr, "in use by 1 server\n") {
		t.Errorf("while the server runs: %+v", r)
	}
	i.server.end(t)
	eventually(t, "Redis to forget the server", func() bool {
		return i.run("store", "restore", "online", "--end-all-sessions", "--replace", "--yes").code == 0
	})
	i.start()
	i.want("ended", tokens)
	tokens["user"], _ = i.login()
	i.want("again", tokens, "user")
}

// fillMany makes a data file with many grants, quickly.
func fillMany(t *testing.T, path string, count int) {
	t.Helper()
	f, err := bolt.Fill(path, false, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	until := f.Now().Add(24 * time.Hour)
	var items []store.Item
	for n := range count {
		grant := store.Item{Kind: store.KindRecord, Name: fmt.Sprintf("grant %08d", n), ID: store.NewWriteID(), Value: make([]byte, 156), Expires: until}
		name := store.Item{Kind: store.KindMember, Name: fmt.Sprintf("grants of %d", n%(count/4+1)), Member: grant.Name, Expires: until}
		if items = append(items, grant, name); len(items) >= 1000 || n == count-1 {
			if err := f.Load(t.Context(), items); err != nil {
				t.Fatal(err)
			}
			items = items[:0]
		}
	}
	if err := f.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A copy that is killed leaves no store on which a server starts, and is repeated from the beginning.
func TestKilledCopyIsNoStore(t *testing.T) {
	t.Parallel()
	folder := folder(t)
	url := redistest.Start(t).URL()
	fillMany(t, filepath.Join(folder, "d", "data.db"), 12_000)
	watch, err := redis.Open(t.Context(), redis.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { watch.Close() })
	kill := func(begun func() bool, args ...string) {
		t.Helper()
		p, err := launch(folder, nil, args...)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the copy to begin", begun)
		if code, err := p.stop(syscall.SIGKILL); err != nil || code != -1 {
			t.Fatalf("the copy was not killed on its way: %d, %v\n%s", code, err, p.log)
		}
	}
	secrets := "SAFECONDUCT_SECRETS=" + strings.Repeat("A", 43) + "="

	there := []string{"store", "copy", "--data-dir", "d", "--to", url, "--verify"}
	kill(func() bool {
		n, err := watch.Extent(t.Context())
		return err == nil && n > 500
	}, there...)
	r := run(t, folder, "", []string{"SAFECONDUCT_STORE_URL=" + url, secrets}, "serve", "--listen", "127.0.0.1:0", "--data-dir", "e")
	if r.code != 6 || !strings.Contains(r.stderr, "cut short") {
		t.Errorf("a server on half a Redis: %+v", r)
	}
	if r := run(t, folder, "", nil, "store", "copy", "--from", url, "--to", "bolt:x.db"); r.code != 6 || !strings.Contains(r.stderr, "cut short") {
		t.Errorf("a copy of half a Redis: %+v", r)
	}
	must(t, folder, "", nil, there...)

	back := []string{"store", "copy", "--data-dir", "e", "--from", url, "--to", "bolt:back.db", "--verify"}
	unfinished := filepath.Join(folder, "back.db"+bolt.UnfinishedSuffix)
	kill(func() bool { return exists(unfinished) }, back...)
	r = run(t, folder, "", []string{"SAFECONDUCT_STORE_URL=bolt://" + filepath.Join(folder, "back.db"), secrets}, "serve", "--listen", "127.0.0.1:0", "--data-dir", "e")
	if r.code != 6 || !strings.Contains(r.stderr, "cut short") || exists(filepath.Join(folder, "back.db")) {
		t.Errorf("a server on half a data file: %+v", r)
	}
	must(t, folder, "", nil, back...)
	if exists(unfinished) {
		t.Error("what was unfinished is still there")
	}
}

// An operator must not go on with a copy that is none: the command says what differs, ends with another code, and no
// server starts on the target.
func TestVerificationFindsWhatDiffers(t *testing.T) {
	t.Parallel()
	folder := folder(t)
	const password = "word-of-redis"
	server := redistest.Start(t, "--requirepass", password)
	fillMany(t, filepath.Join(folder, "d", "data.db"), 10_000)
	watch, err := redis.Open(t.Context(), redis.Options{URL: server.URL(), Password: password})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { watch.Close() })
	there := []string{"store", "copy", "--data-dir", "d", "--verify", "--to"}
	if r := run(t, folder, "", nil, append(there, server.URL())...); r.code == 0 || !strings.Contains(r.stderr, "asks for a password") {
		t.Errorf("without the password: %+v", r)
	}
	p, err := launch(folder, []string{"SAFECONDUCT_TO_PASSWORD=" + password}, append(there, server.URL())...)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the copy to begin", func() bool {
		n, err := watch.Extent(t.Context())
		return err == nil && n > 500
	})
	if err := watch.Set(t.Context(), "smuggled", nil, store.Forever); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	if code := p.cmd.ProcessState.ExitCode(); code != 8 || !strings.Contains(p.stdout.String(), `records: "smuggled" should not be there`) {
		t.Errorf("exit %d\n%s%s", code, p.stdout, p.log)
	}
	if unfinished, err := watch.Unfinished(t.Context()); !unfinished || err != nil {
		t.Errorf("it is finished: %v, %v", !unfinished, err)
	}
	secret := strings.Replace(server.URL(), "redis://", "redis://:"+password+"@", 1)
	r := run(t, folder, "", nil, append(there, secret)...)
	if r.code != 0 || strings.Contains(r.stdout+r.stderr+p.log.String(), password) {
		t.Errorf("with the password in the URL: %+v", r)
	}
}

// A backup of a busy server is whole: a server starts on it, and every token in it works as it did.
func TestBackupOfABusyServerIsGood(t *testing.T) {
	t.Parallel()
	i := install(t)
	before := map[string]string{"machine": i.machine()}
	before["user"], _ = i.login()
	stop := make(chan struct{})
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					status, answer := i.post("/oauth/token", "robot", "grant_type", "client_credentials")
					if status != http.StatusOK {
						t.Errorf("token: %d %v", status, answer)
						return
					}
					i.post("/oauth/revoke", "robot", "token", fmt.Sprint(answer["access_token"]))
				}
			}
		})
	}
	for n := range 5 {
		i.must("", "store", "backup", fmt.Sprint("b", n))
	}
	close(stop)
	wait.Wait()
	i.server.end(t)
	i.must("", "store", "restore", "b4", "--keep-sessions", "--replace", "--yes")
	i.start()
	i.want("restored", before, "machine", "user")
	i.machine()
	i.login()
}

// epochOf is the epoch of its client in which a signed token was made.
func epochOf(t *testing.T, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("not a signed token: %q", token)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Epoch string `json:"sc_epoch"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil || claims.Epoch == "" {
		t.Fatalf("claims %s: %v", payload, err)
	}
	return claims.Epoch
}
