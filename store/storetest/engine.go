// Package storetest is the conformance suite of store.Store: what the contract promises, every engine is held to, on
// the real engine. The tests of an engine call Run; nothing else does.
package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

// Engine is an engine with its own, empty data, as one test of the suite uses it. Open and Exclusive say all for a
// local engine; the other fields are for engines that talk to a server.
type Engine struct {
	// Open opens a handle on the engine's data and fails the test when it cannot. clock is the local clock of the
	// machine that the handle pretends to run on: it may be minutes off, and stands still unless the suite moves it
	// (see ServerTime). The suite closes every handle; closing one twice must do no harm. Opening again after a close
	// finds the data as they were.
	Open func(t testing.TB, clock func() time.Time) store.Store

	// Exclusive says that the data allow one handle at a time. Else the suite opens several at once.
	Exclusive bool

	// ServerTime says that the store's time is that of a server, and passes by itself. clock is then a running clock,
	// and the suite waits until short lifetimes have passed. Else the store's time is what clock tells, and the
	// suite moves it.
	ServerTime bool

	// Fill begins to fill the data, with the machine's clock as for Open. The suite ends it by Finish or Close.
	Fill func(clock func() time.Time, replace bool) (store.Filler, error)

	// Usable says why a server may not open the data now, or nil.
	Usable func(t testing.TB) error

	// ShortLife is how long a record lives whose end the suite waits for, when the store's time is that of a server: long
	// enough for a dozen calls on a busy machine. Zero means 250 ms.
	ShortLife time.Duration

	// Break makes the store unreachable for every open handle until mend is called. Nil when the engine cannot break.
	Break func(t testing.TB) (mend func())

	// Isolate keeps every copy of the data from hearing what is written, until mend is called. Nil when the engine has no
	// copies.
	Isolate func(t testing.TB) (mend func())

	// LoseReply arranges that the next write on any handle is carried out, but its reply is lost on the way. It may
	// lose replies of reads too, once. Nil when the engine has no replies to lose.
	LoseReply func(t testing.TB)
}

// Run holds an engine to the contract. newEngine is called once for each test and returns an engine without data;
// what it starts it ends with t.Cleanup.
func Run(t *testing.T, newEngine func(t *testing.T) Engine) {
	tests := slices.Concat(
		recordTests(), expiryTests(), addTests(), swapTests(), indexTests(), logTests(),
		counterTests(), topicTests(), kindTests(), handleTests(), contextTests(), failureTests(), walkTests(), fillTests(), copyTests(),
	)
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			test.run(newBed(t, newEngine(t)))
		})
	}
}
