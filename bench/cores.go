package main

import "runtime"

// The server under test has a core for itself; the generator and Redis share the other.
const (
	serverCore = 0
	clientCore = 1
)

// cores binds processes to cores, where the system lets it.
type cores struct{ bound bool }

// hold keeps this process, the generator, on its core while something is measured.
func (c cores) hold() error {
	if c.bound {
		runtime.GOMAXPROCS(1)
	}
	return c.stay(clientCore)
}

// release gives this process both cores, for seeding.
func (c cores) release() error {
	runtime.GOMAXPROCS(runtime.NumCPU())
	return c.stay(serverCore, clientCore)
}
