//go:build !faults

package node

import (
	"log/slog"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

// localClock is the clock of the engines: nil, which is the machine's. See door_faults.go for the other build.
func localClock() func() time.Time { return nil }

// behindDoor is where the build for fault tests puts its door. The program that people run has none.
func behindDoor(records store.Store, _ *slog.Logger) store.Store { return records }
