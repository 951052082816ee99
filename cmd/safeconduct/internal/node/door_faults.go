//go:build faults

package node

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

// doorVariable names the unix socket on which the door listens. It is outside the configuration on purpose: only a build
// with the tag faults knows it.
const doorVariable = "FAULTS_DOOR"

// door lets the fault tests do to a running server what nothing outside of it can do: set its clock, make its store
// panic, and count its goroutines. It is in no program but the one built with the tag faults.
type door struct{ store.Store }

// doorState is shared by the clock, which is wanted before there is a store, and the door. It is the one global of this
// build, which nobody ships.
var doorState struct {
	offset atomic.Int64
	panics atomic.Int64
}

// panicMark in a key makes reading it panic.
const panicMark = "panic-please"

func localClock() func() time.Time {
	if os.Getenv(doorVariable) == "" {
		return nil
	}
	return func() time.Time { return time.Now().Add(time.Duration(doorState.offset.Load())) }
}

func behindDoor(records store.Store, log *slog.Logger) store.Store {
	path := os.Getenv(doorVariable)
	if path == "" {
		return records
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		log.Error("the door for faults cannot be opened", "error", err)
		return records
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /clock", func(w http.ResponseWriter, r *http.Request) {
		by, err := time.ParseDuration(r.FormValue("by"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		doorState.offset.Store(int64(by))
	})
	mux.HandleFunc("GET /goroutines", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, runtime.NumGoroutine()) })
	mux.HandleFunc("GET /panics", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strconv.FormatInt(doorState.panics.Load(), 10))
	})
	go func() { _ = http.Serve(listener, mux) }()
	return door{records}
}

func (d door) Get(ctx context.Context, key string) (store.Record, error) {
	if strings.Contains(key, panicMark) {
		doorState.panics.Add(1)
		panic("asked for by the door")
	}
	return d.Store.Get(ctx, key)
}
