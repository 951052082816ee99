// Command bench measures what Safeconduct costs: requests per second, processor time per request, latency and memory,
// on each engine, next to floors that are measured in the same run, and the size of the pages. It starts everything
// that it needs, the server under test and the floors as children of its own program and a redis-server, and leaves
// nothing behind.
//
// A floor is the least that Gin handlers with as many Redis calls cost for a request of that kind. The figures to compare
// over time and between machines are the ratios to the floors: rates and microseconds belong to one machine and hour.
//
// `make bench` calls it. It promises that every answer it counted was the right one, and that it ends.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// childCommand is the first argument of a child process. It is not for people.
const childCommand = "child"

func main() {
	if len(os.Args) > 1 && os.Args[1] == childCommand {
		if err := serveChild(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "bench child:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
	}
}

// options are what a run is told.
type options struct {
	short       bool
	only        []string
	engines     []string
	rounds      int
	duration    time.Duration
	connections int
	sizes       []int // of grants in the store, ascending
	rate        int   // requests a second in an open loop
	flood       int   // logins that are queued in a flood
	memory      int   // grants for the figures of memory
	revocations int   // tokens to revoke, for all rounds
	users       int   // who log in
	people      int   // who are logged in
	accessLog   bool
	profiles    string
	out         string
	against     against
}

// run measures and reports. What it is doing goes to progress, the report to out or the named file.
func run(ctx context.Context, args []string, out, progress io.Writer) error {
	o, err := parseOptions(args, progress)
	if err != nil {
		return err
	}
	if o.out != "" {
		if err := checkTarget(o.out); err != nil {
			return err
		}
	}
	if o.profiles != "" {
		if err := os.MkdirAll(o.profiles, 0o755); err != nil {
			return err
		}
	}
	if o.against.token != "" {
		b := &bench{options: o, progress: progress}
		table, err := b.measureAgainst(ctx)
		if err == nil {
			_, err = io.WriteString(out, table)
		}
		return err
	}
	dir, err := os.MkdirTemp("", "safeconduct-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{options: o, dir: dir, progress: progress, cores: findCores()}
	defer b.close()
	r, err := b.measure(ctx)
	if err != nil {
		return err
	}
	if o.out == "" {
		_, err = io.WriteString(out, r.markdown())
		return err
	}
	return writeTable(o.out, r.markdown())
}

func parseOptions(args []string, usage io.Writer) (options, error) {
	o := options{memory: 50_000, users: 2500}
	var only, engines, sizes string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.BoolVar(&o.short, "short", false, "about a minute: few and brief rounds, 1,000 grants")
	flags.StringVar(&only, "only", "", "measure these scenarios alone, separated by commas: "+strings.Join(append(scenarioNames(), besides()...), ", "))
	flags.StringVar(&engines, "engines", "redis,bolt", "the engines to measure")
	flags.IntVar(&o.rounds, "rounds", 5, "rounds of each scenario, interleaved with its floor")
	flags.DurationVar(&o.duration, "duration", 1500*time.Millisecond, "length of a round, without its warm-up")
	flags.StringVar(&sizes, "sizes", "10000,1000000", "how many live grants there are: with the first number all is measured, with the others introspection. Ten million need about 3 GB of Redis")
	flags.IntVar(&o.rate, "rate", 2000, "requests a second in the open loop")
	flags.IntVar(&o.flood, "flood", 2000, "logins that are queued in the flood")
	flags.IntVar(&o.connections, "connections", 32, "connections that ask at once")
	flags.BoolVar(&o.accessLog, "access-log", true, "let the server write its line for each request, to the null device")
	flags.StringVar(&o.profiles, "profiles", "", "after the rounds, write a processor profile of each scenario into this folder")
	flags.StringVar(&o.out, "out", "", "put the table into this file, between its markers, instead of printing it")
	flags.StringVar(&o.against.token, "against", "", "measure a server that runs elsewhere, by the URL of its token endpoint, instead of this one")
	flags.StringVar(&o.against.introspect, "introspection", "", "with -against: the URL of its introspection endpoint")
	flags.StringVar(&o.against.client.id, "client", "", "with -against: the client that gets tokens; its secret is read from "+secretVariable)
	flags.StringVar(&o.against.asker.id, "introspection-client", "", "with -against: who introspects, if not that client; the secret is read from "+askerVariable)
	flags.StringVar(&o.against.scope, "scope", "", "with -against: the scope to ask for")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag; see -help", flags.Arg(0))
	}
	given := make(map[string]bool)
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if o.short {
		o.memory, o.users = 5000, 500
		if !given["flood"] {
			o.flood = 200
		}
		if !given["sizes"] {
			sizes = "1000"
		}
		if !given["rounds"] {
			o.rounds = 3
		}
		if !given["duration"] {
			o.duration = 400 * time.Millisecond
		}
	}
	if o.rounds < 1 || o.connections < 1 || o.connections > 200 || o.duration <= 0 {
		return o, errors.New("want at least one round, 1 to 200 connections and a duration above zero")
	}
	for _, text := range strings.Split(sizes, ",") {
		size, err := strconv.Atoi(text)
		if err != nil || size < 1 || len(o.sizes) > 0 && size <= o.sizes[len(o.sizes)-1] {
			return o, errors.New("want sizes as ascending numbers, separated by commas")
		}
		o.sizes = append(o.sizes, size)
	}
	if o.against.token != "" {
		if err := o.against.readSecrets(); err != nil {
			return o, err
		}
	}
	if o.rate < 1 {
		return o, errors.New("want a rate above zero")
	}
	o.revocations = int(o.duration.Seconds()*1.3*35_000)*(o.rounds+1) + 1000
	var err error
	if o.only, err = choose(only, append(scenarioNames(), besides()...)); err != nil {
		return o, err
	}
	if o.short && only == "" {
		o.only = slices.DeleteFunc(o.only, func(name string) bool { return name == stoppedName })
	}
	// What is not asked for needs no seed, but one of each keeps the rest simple.
	if !slices.Contains(o.only, revokeName) {
		o.revocations = 1
	}
	if !slices.Contains(o.only, loginApart) {
		o.users = 1
	}
	o.people = int(o.duration.Seconds()*1.3*1700)*(o.rounds+1)*3/flowsEach + 1
	if !slices.ContainsFunc(o.only, func(name string) bool { return strings.HasPrefix(name, flowName) }) {
		o.people = 1
	}
	o.engines, err = choose(engines, []string{engineRedis, engineBolt})
	return o, err
}

// choose splits a list of names that must be known; an empty list is all of them.
func choose(list string, known []string) ([]string, error) {
	if list == "" {
		return known, nil
	}
	names := strings.Split(list, ",")
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("there is no %q here; there are: %s", name, strings.Join(known, ", "))
		}
	}
	return names, nil
}
