package redis

// Uncoalesced is o with every call sent on its own, as a yardstick for benchmarks.
func Uncoalesced(o Options) Options {
	o.uncoalesced = true
	return o
}
