package redis_test

import (
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/store/redis"
	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// What is refused of one server is refused of several, and so is a URL that does not fit what is there.
func TestOpenRefusesUnfitGroups(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, "--requirepass", canary)
	set := redistest.StartSentinelSet(t, "--requirepass", canary)
	one := redistest.Start(t)
	doAll(t, open(t, redis.Options{URL: cluster.URL(), Password: canary}))
	doAll(t, open(t, redis.Options{URL: set.URL(), Password: canary}))

	refuses := func(name string, o redis.Options, says string) {
		t.Helper()
		s, err := redis.Open(t.Context(), o)
		if err == nil {
			s.Close()
			t.Errorf("%s: opened, want a refusal", name)
			return
		}
		if !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: refused with %q, want it to say %q and no password", name, err, says)
		}
	}
	node, sentinel := cluster.Nodes()[0].Addr(), set.Sentinels()[0].Addr()
	refuses("cluster, wrong password", redis.Options{URL: cluster.URL(), Password: "wrong"}, "correct")
	refuses("cluster, no password", redis.Options{URL: cluster.URL()}, "asks for a password")
	refuses("set, wrong password", redis.Options{URL: set.URL(), Password: "wrong"}, "correct")
	refuses("unknown master", redis.Options{URL: "redis+sentinel://" + sentinel + "/other", Password: canary}, `knows no master "other"`)
	refuses("a node of a cluster as one server", redis.Options{URL: "redis://" + node, Password: canary}, "write redis+cluster://")
	refuses("one server as a cluster", redis.Options{URL: "redis+cluster://" + one.Addr()}, "write redis://")
	refuses("a sentinel as a server", redis.Options{URL: "redis://" + sentinel}, "write redis+sentinel://")
	refuses("a server as a sentinel", redis.Options{URL: "redis+sentinel://" + one.Addr() + "/main"}, "is no sentinel")

	// One of several masters is enough.
	master := cluster.Masters()[2]
	_, err := master.Do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	must(t, err)
	refuses("one master that evicts", redis.Options{URL: cluster.URL(), Password: canary}, "set maxmemory-policy noeviction")
	_, err = set.Master().Do("CONFIG", "SET", "maxmemory-policy", "volatile-lru")
	must(t, err)
	refuses("a set that evicts", redis.Options{URL: set.URL(), Password: canary}, "set maxmemory-policy noeviction")
	_, err = set.Master().Do("CONFIG", "SET", "maxmemory-policy", "noeviction")
	must(t, err)

	few := strings.Fields("resetkeys resetchannels &+switch-master -@all +ping +sentinel|get-master-addr-by-name +subscribe")
	for _, s := range set.Sentinels() {
		_, err := s.Do(append([]string{"ACL", "SETUSER", "safeconduct", "on", ">sentinel-" + canary}, few...)...)
		must(t, err)
	}
	must(t, open(t, redis.Options{URL: set.URL(), Password: canary, SentinelUsername: "safeconduct", SentinelPassword: "sentinel-" + canary}).Ping(t.Context()))
	for _, s := range set.Sentinels() {
		_, err := s.Do("ACL", "SETUSER", "default", "resetpass", ">sentinel-"+canary)
		must(t, err)
	}
	refuses("sentinels, no password", redis.Options{URL: set.URL(), Password: canary}, "asks for a password")
	refuses("sentinels, wrong password", redis.Options{URL: set.URL(), Password: canary, SentinelPassword: "wrong"}, "correct")
	must(t, open(t, redis.Options{URL: set.URL(), Password: canary, SentinelPassword: "sentinel-" + canary}).Ping(t.Context()))
}
