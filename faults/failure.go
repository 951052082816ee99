package main

// failure is one thing that goes wrong, what Safeconduct promises then, and how that is shown.
type failure struct {
	name, title string
	promise     string
	run         func(*scene)
}

// failures are all of them, by number. The scenes stand in the files of their theme.
func failures() []failure {
	return []failure{
		{"F01", "no Redis at the start", "lives, is not ready, becomes ready by itself", lateRedis},
		{"F02", "Redis dies in mid-request", "503 within 1 s, no half grants, back within 2 s", redisDies},
		{"F03", "replies lost after execution", "the same question gets the same answer; nobody is logged out", repliesLost},
		{"F04", "failover by sentinels", "no ended delegation is revived; nobody is logged out but of the tail", failovers},
		{"F05", "isolated master", "takes no writes after 10 s; nothing ended is revived", isolatedMaster},
		{"F06", "slots of a cluster move", "no failed request", movedSlots},
		{"F07", "a master of a cluster dies", "the others' share goes on; the rest is 503, back 3 s after the promotion", lostMaster},
		{"F08", "slow Redis", "503 in time; what needs no Redis goes on; back within 1 s", slowRedis},
		{"F09", "Redis is full", "nothing new, and all that takes rights away works", memoryFull},
		{"F10", "unfit Redis", "refused at the start, with the reason", unfitRedis},
		{"F11", "replicas lag", "what one node issues is active at the other at once", otherNode},
		{"F12", "kill -9 under load, embedded file", "nothing acknowledged is lost, nothing is spent twice", killedUnderLoad},
		{"F13", "power lost in the midst of a commit", "opens with everything up to the last sync", powerLost},
		{"F14", "disk full", "503 for writes, reads go on, back without a restart, no damage", diskFull},
		{"F15", "damaged data file", "refused or harmless, never a wrong answer, never re-created", damagedFile},
		{"F16", "two processes on one data file", "the second is refused and told of the first", twoOnOneFile},
		{"F17", "backup and restore", "the state of the backup; what ended since comes back, unless all is ended", restoredBackup},
		{"F18", "clocks that differ or jump", "one time for all; what lapsed stays lapsed", wrongClocks},
		{"F19", "10,000 concurrent refreshes of one token", "one successor, and everyone gets it", oneTokenAtOnce},
		{"F20", "refresh storm", "goodput holds, no error but 503", refreshStorm},
		{"F23", "rolling restarts", "no failed request", rollingRestarts},
		{"F24", "panics", "one request affected each, nothing held", panics},
		{"F25", "broken configuration", "refused with its place", brokenConfigurations},
		{"F26", "huge store", "speed does not depend on its size", hugeStore},
		{"F27", "data that lapse", "the file stops growing", lapsedData},
		{"F28", "two versions on one store", "both read each other's records", mixedVersions},
		{"F29", "black hole between server and Redis", "503 in time; no stuck workers; back within 2 s", blackHole},
		{"F30", "login flood while others refresh", "refresh goes on, memory is bounded", loginFlood},
	}
}
