package bolt_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt"
	"github.com/safeconduct/safeconduct/store/storetest"
)

// The contract of the store holds on a real file.
func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Engine {
		path := filepath.Join(t.TempDir(), "data.db")
		return storetest.Engine{
			Exclusive: true,
			Open: func(t testing.TB, clock func() time.Time) store.Store {
				t.Helper()
				return open(t, path, bolt.Options{Clock: clock})
			},
			Fill: func(clock func() time.Time, replace bool) (store.Filler, error) {
				return bolt.Fill(path, replace, bolt.Options{Clock: clock})
			},
			Usable: func(testing.TB) error {
				s, err := bolt.Open(path, bolt.Options{})
				if err == nil {
					err = s.Close()
				}
				return err
			},
		}
	})
}

// open opens a data file, which is closed at the end of the test if not before.
func open(t testing.TB, path string, o bolt.Options) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(path, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
