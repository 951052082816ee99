package users_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt"
	"github.com/safeconduct/safeconduct/users"
)

// hangUp is a store whose caller goes away right after its next swap.
type hangUp struct {
	store.Store
	cancel context.CancelFunc
}

func (h *hangUp) Swap(ctx context.Context, key string, old store.Record, value []byte, expires time.Time) error {
	err := h.Store.Swap(ctx, key, old, value, expires)
	if h.cancel != nil {
		h.cancel()
	}
	return err
}

// ended counts whom it was told to end, by a caller that is still there.
type ended struct{ times int }

func (e *ended) EndUser(ctx context.Context, _ uuid.UUID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e.times++
	return nil
}

// Logging out everywhere is not left half done when the browser hangs up in the middle of it.
func TestEndingSessionsGoesOnWithoutItsCaller(t *testing.T) {
	file, err := bolt.Open(filepath.Join(t.TempDir(), "data", "data.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s, grants := &hangUp{Store: file}, &ended{}
	changes := store.NewChanges(s)
	var told int
	changes.Listen(func(string) { told++ })
	r := users.New(users.Config{Store: s, Changes: changes, Grants: grants, Hasher: users.NewHasher(users.Params{MemoryKiB: 64, Passes: 1, Threads: 1}, 0, 0)})
	u, err := r.Create(t.Context(), users.NewUser{Username: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	told = 0
	ctx, cancel := context.WithCancel(t.Context())
	s.cancel = cancel
	if err := r.EndSessions(ctx, u.ID); err != nil {
		t.Errorf("the act stopped half way: %v", err)
	}
	if grants.times != 1 || told == 0 {
		t.Errorf("grants ended %d times, %d announcements", grants.times, told)
	}
}
