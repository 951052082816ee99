package main

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report is what a run found.
type report struct {
	b          *bench
	began      time.Time
	loadBefore string
	loadAfter  string
	redis      *redisServer
	results    []*result
	open       []*result // of the open loop
	floods     []flood
	starts     []start
	checks     []*check
	stops      []stopped
	footprints []footprint
	weights    []weight
	feeds      map[string]heard // by engine
	hash       time.Duration
}

func newReport(b *bench) *report {
	return &report{b: b, began: time.Now().UTC(), loadBefore: loadAverage()}
}

func (r *report) add(results []*result) { r.results = append(r.results, results...) }

func (r *report) end() { r.loadAfter = loadAverage() }

// markdown is the report as it stands in a document.
func (r *report) markdown() string {
	var out strings.Builder
	fmt.Fprintf(&out, "Measured %s on %s.\n\n", r.began.Format("2006-01-02 15:04 UTC"), r.machine())
	fmt.Fprintf(&out, "%d connections, %d rounds of %v each. %s\n\n", r.b.connections, r.b.rounds, r.b.duration, r.pinning())
	r.table(&out, r.results)
	if slices.ContainsFunc(r.results, func(one *result) bool { return one.scenario.name == loginApart }) {
		fmt.Fprintf(&out, "\nFrom the processor time of %s the cost of its token hash was taken off: %.1f µs.\n", loginApart, microseconds(r.hash))
	}
	if len(r.open) > 0 {
		fmt.Fprintf(&out, "\nOpen loop, %d requests a second are due; times count from the moment when a request was due.\n\n", r.b.rate)
		r.table(&out, r.open)
	}
	if len(r.floods) > 0 {
		out.WriteString("\n| refresh while logins are queued | on | p99 ms, idle | p99 ms, flood | × idle | goal | logins a second: in, turned away | memory MB, before | at most | goal |\n|---|---|---|---|---|---|---|---|---|---|\n")
		for _, f := range r.floods {
			f.row(&out)
		}
	}
	if len(r.starts) > 0 {
		out.WriteString("\n| start on bolt | grants | file MB | seconds | goal |\n|---|---|---|---|---|\n")
		for _, s := range r.starts {
			s.row(&out)
		}
	}
	if len(r.checks) > 0 {
		out.WriteString("\n| scopes.Require in the process of a resource server | by | CPU µs, best (median) | × bare signature, best (median) | goal, CPU µs |\n|---|---|---|---|---|\n")
		for _, c := range r.checks {
			c.row(&out)
		}
	}
	if len(r.stops) > 0 {
		fmt.Fprintf(&out, "\nOne master of a cluster (3 + 3) is stopped; %d introspections a second are due whose grant and user lie on the others, and at most %d are sent whose grant lies on it. The log of changes lies on another.\n\n", othersRate, strandedRate)
		out.WriteString("| master stopped for | the others before, p50 / p99 / slowest ms | meanwhile | × p99 before: slowest before | slowest meanwhile | goal | requests meanwhile | failed | of its own turned away |\n|---|---|---|---|---|---|---|---|---|\n")
		for _, s := range r.stops {
			s.row(&out)
		}
	}
	if len(r.footprints) > 0 {
		fmt.Fprintf(&out, "\n| in Redis, all keys and their overhead, %d grants | bytes a grant | goal |\n|---|---|---|\n", r.b.memory)
		for _, f := range r.footprints {
			fmt.Fprintf(&out, "| %s | %.0f | ≤ %.0f |\n", f.what, f.bytes, f.goal)
		}
	}
	if len(r.weights) > 0 {
		out.WriteString("\n| all pages, uncompressed | pages | bytes | the largest | css | js | icon | total | goal | requests to other hosts | goal |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
		for _, w := range r.weights {
			fmt.Fprintf(&out, "| %s | %d | %d | %s, %d | %d | %d | %d | %d | < %d | %d | 0 |\n",
				w.language, w.pages, w.html, w.largest, w.largestSize, w.css, w.js, w.rest, w.total(), pagesGoal, w.elsewhere)
		}
	}
	for _, engine := range slices.Sorted(maps.Keys(r.feeds)) {
		h := r.feeds[engine]
		fmt.Fprintf(&out, "\nRevocation feed, %s: %d readers heard of each of %d revocations within %v (median), %v (99 of 100; goal ≤ %v), %v (the last).\n",
			engine, feedReaders, feedRevocations, h.median.Round(time.Millisecond), h.p99.Round(time.Millisecond), feedGoal, h.slowest.Round(time.Millisecond))
	}
	return out.String()
}

// table is one table of results, which stand between their floors.
func (r *report) table(out *strings.Builder, results []*result) {
	out.WriteString("| request | on | grants | requests/s, best | CPU µs, best (median) | p50 / p90 / p99 / p99.9 ms | × floor, best (median) | goal | Redis µs (for a command) | Redis commands for a request |\n")
	out.WriteString("|---|---|---|---|---|---|---|---|---|---|\n")
	for _, one := range results {
		r.row(out, one, floorOf(results, one))
	}
}

func (r *report) row(out *strings.Builder, one, floor *result) {
	best, median := one.best(), one.median()
	hash := time.Duration(0)
	if one.scenario.name == loginApart && one.target != floorTarget {
		hash = r.hash
	}
	on, ratio, goal := one.target, "", ""
	if one.target == floorTarget {
		on = "floor: " + one.scenario.floor
	} else if floor != nil {
		ratio = fmt.Sprintf("%.2f (%.2f)", microseconds(best.perRequest()-hash)/microseconds(floor.best().perRequest()),
			microseconds(median-hash)/microseconds(floor.median()))
		if wanted, some := one.scenario.goals[one.target]; some {
			goal = fmt.Sprintf("≤ %.2f", wanted)
		}
	}
	redis, commands := "", one.commands()
	if one.target == engineBolt {
		commands = ""
	}
	if commands != "" && commands != none {
		sent := int64(0)
		for _, calls := range best.commands {
			sent += calls
		}
		redis = fmt.Sprintf("%.1f (%.1f)", microseconds(best.redisCPU)/float64(best.requests), microseconds(best.redisCPU)/float64(sent))
	}
	fmt.Fprintf(out, "| %s | %s | %d | %.0f | %.1f (%.1f) | %v | %s | %s | %s | %s |\n",
		one.scenario.name, on, one.size, one.rate(), microseconds(best.perRequest()-hash), microseconds(median-hash),
		best.spread, ratio, goal, redis, commands)
}

// floorOf is the floor that was measured between the rounds of a result.
func floorOf(results []*result, one *result) *result {
	for _, other := range results {
		if other.target == floorTarget && other.scenario.name == one.scenario.name && other.size == one.size {
			return other
		}
	}
	return nil
}

// best is the round with the least processor time for a request: the one that others disturbed the least.
func (one *result) best() round {
	return slices.MinFunc(one.rounds, func(a, b round) int { return int(a.perRequest() - b.perRequest()) })
}

func (one *result) median() time.Duration {
	var all []time.Duration
	for _, r := range one.rounds {
		all = append(all, r.perRequest())
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func (one *result) rate() float64 {
	best := 0.0
	for _, r := range one.rounds {
		best = max(best, r.rate())
	}
	return best
}

// none is said of requests that Redis hears nothing of.
const none = "none"

// commands are those of Redis for a request, over all rounds, without what runs in the background.
func (one *result) commands() string {
	total, requests := make(map[string]int64), int64(0)
	for _, r := range one.rounds {
		requests += r.requests
		for command, calls := range r.commands {
			total[command] += calls
		}
	}
	var parts []string
	for command, calls := range total {
		if each := float64(calls) / float64(requests); each >= 0.02 {
			parts = append(parts, fmt.Sprintf("%s %.2f", command, each))
		}
	}
	slices.Sort(parts)
	if len(parts) == 0 {
		return none
	}
	return strings.Join(parts, ", ")
}

func (r *report) machine() string {
	redis := "no Redis"
	if r.redis != nil {
		redis = "Redis " + r.redis.version + " without persistence"
	}
	return fmt.Sprintf("%s, %d cores, %s/%s, %s, %s; load average before %s, after %s",
		processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), redis, r.loadBefore, r.loadAfter)
}

func (r *report) pinning() string {
	logged := "The server wrote its access log to the null device."
	if !r.b.accessLog {
		logged = "The access log was off."
	}
	if !r.b.cores.bound {
		return "Nothing was bound to a core: the figures are noisier than they need be. " + logged
	}
	return fmt.Sprintf("The server under test was bound to core %d (so GOMAXPROCS is 1); the generator and Redis to core %d. %s", serverCore, clientCore, logged)
}

func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	for _, line := range strings.Split(string(text), "\n") {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// The markers between which a document holds the report.
const (
	markerBegin = "<!-- bench: begin -->"
	markerEnd   = "<!-- bench: end -->"
)

// checkTarget finds out before a long run whether the report has a place in the file.
func checkTarget(path string) error {
	_, _, err := around(path)
	return err
}

func around(path string) (before, after string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", "", fmt.Errorf("write the table: %w", err)
	}
	before, rest, begins := strings.Cut(string(text), markerBegin)
	_, after, ends := strings.Cut(rest, markerEnd)
	if !begins || !ends {
		return "", "", fmt.Errorf("write the table: %s has no place for it; put the lines %s and %s where it shall stand", path, markerBegin, markerEnd)
	}
	return before, after, nil
}

func writeTable(path, table string) error {
	before, after, err := around(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(before+markerBegin+"\n\n"+table+"\n"+markerEnd+after), 0o644)
}
