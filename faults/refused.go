package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// unfitRedis is F10: a Redis that may lose or hide records, or another than was meant.
func unfitRedis(s *scene) {
	plain := redistest.Start(s)
	replica := redistest.Start(s, "--replicaof", strings.ReplaceAll(plain.Addr(), ":", " "))
	old := redistest.NewProxy(s, plain.Addr())
	old.Rewrite("redis_version:7", "redis_version:5")
	refusedAll := 0
	cases := []struct {
		what, url, says string
	}{
		{"it evicts", redistest.Start(s, "--maxmemory-policy", "allkeys-lru", "--maxmemory", "100mb").URL(), "maxmemory-policy"},
		{"it wants another password", strings.Replace(redistest.Start(s, "--requirepass", "right").URL(), "://", "://:wrong@", 1), "password"},
		{"it wants a password", redistest.Start(s, "--requirepass", "right").URL(), "password"},
		{"it is a replica", replica.URL(), "replica"},
		{"it has no such database", strings.TrimSuffix(plain.URL(), "/0") + "/99", "database"},
		{"it is too old", old.URL(), "version 5"},
	}
	for _, c := range cases {
		n := s.install(c.url).addNode()
		s.must(n.launch())
		select {
		case <-n.process.ended:
			log := n.process.lastWords()
			switch {
			case n.process.cmd.ProcessState.ExitCode() == 0:
				s.Errorf("%s: the server ended with 0", c.what)
			case !strings.Contains(log, c.says):
				s.Errorf("%s: the server does not say %q: %s", c.what, c.says, log)
			case strings.Contains(log, "wrong@"):
				s.Errorf("%s: the server tells the password", c.what)
			default:
				refusedAll++
			}
		case <-time.After(startPatience):
			s.Errorf("%s: the server goes on", c.what)
		}
	}
	blocked := s.install(redistest.Start(s, "--rename-command", "CONFIG", "").URL()).addNode()
	if err := blocked.start(); err != nil {
		s.Errorf("a Redis that forbids CONFIG is refused: %v", err)
	}
	s.done("%d unfit servers, and one that forbids CONFIG", len(cases))
	s.figure("%d of %d refused with the reason; the other served", refusedAll, len(cases))
}

// twoOnOneFile is F16.
func twoOnOneFile(s *scene) {
	const attempts = 20
	in := s.install("")
	n := in.addNode().mustStart()
	program, err := in.program()
	s.must(err)
	pid := fmt.Sprint(n.process.cmd.Process.Pid)
	env := environment(append(in.env, "SAFECONDUCT_STORE_URL=bolt://"+n.dataFile())...)
	var refusedAll atomic.Int64
	var wait sync.WaitGroup
	for range attempts {
		wait.Go(func() {
			// With a folder of its own for the socket and the secrets, so that nothing but the data file is in the way.
			cmd := exec.CommandContext(s.ctx, program, "serve", "--listen", "127.0.0.1:0", "--data-dir", s.TempDir())
			cmd.Env = env
			said, err := cmd.CombinedOutput()
			var ended *exec.ExitError
			if errors.As(err, &ended) && bytes.Contains(said, []byte(pid)) && bytes.Contains(said, []byte(n.dataFile())) {
				refusedAll.Add(1)
			} else {
				s.Errorf("a second server on the file: %v, %s", err, oneLine(string(said)))
			}
		})
	}
	wait.Wait()
	if !n.ready() {
		s.Errorf("the first server suffers")
	}
	s.done("%d servers on a file that another has", attempts)
	s.figure("%d refused, with the path and the process that has it", refusedAll.Load())
}

// damagedFile is F15: flipped bits, cut files, other programs' files.
func damagedFile(s *scene) {
	flips := pick(s, 60, 200)
	in := s.install("")
	n := in.addNode().mustStart()
	in.furnish(4)
	l := in.newLoad()
	var held []*delegation
	for _, person := range in.people {
		p := in.newParty(l.ledger, person, in.site, n.to)
		for range 5 {
			if d := l.delegate(p); d != nil {
				held = append(held, d)
			}
		}
	}
	for _, d := range held[:len(held)/2] {
		l.end(d)
	}
	_, _, err := n.process.stop(startPatience)
	s.must(err)
	good, err := os.ReadFile(n.dataFile())
	s.must(err)
	used := len(bytes.TrimRight(good, "\x00"))
	random := rand.New(rand.NewPCG(15, 15))
	var detected, harmless int
	try := func(what string, content []byte, must bool) {
		s.must(os.WriteFile(n.dataFile(), content, 0o600))
		s.must(n.launch())
		if err := n.process.serving(); err == nil {
			if must {
				s.Errorf("%s: the server starts", what)
			}
			harmless++
			s.await(startPatience, "the server is ready", n.ready)
			for _, d := range held {
				if got := d.party.introspect(d.number, d.access); !got.Unknown && got.Active == d.ended {
					s.Errorf("%s, and the server answers wrongly about a token", what)
				}
			}
			n.process.kill()
			return
		}
		detected++
		now, err := os.ReadFile(n.dataFile())
		if log := n.process.lastWords(); n.process.cmd.ProcessState.ExitCode() == 0 || !strings.Contains(log, "data.db") || err != nil || !bytes.Equal(now, content) {
			s.Errorf("%s: ended with %d, file changed: %v; %s", what, n.process.cmd.ProcessState.ExitCode(), !bytes.Equal(now, content), log)
		}
	}
	for range flips {
		bit := random.IntN(8 * used)
		content := bytes.Clone(good)
		content[bit/8] ^= 1 << (bit % 8)
		try(fmt.Sprintf("bit %d is flipped", bit), content, false)
	}
	try("cut in its header", good[:100], true)
	try("cut in the middle", good[:used/2], true)
	try("of zeros", make([]byte, len(good)), true)
	try("another program's", []byte(strings.Repeat("SQLite format 3\x00", 4096)), true)
	s.must(os.WriteFile(n.dataFile(), good, 0o600))
	n.mustStart()
	l.judge(promise{})
	s.done("%d flipped bits, 2 cuts, 2 foreign files; each started and asked about %d tokens", flips, len(held))
	s.figure("%d refused with path and reason and left as they were, %d harmless, with every answer right", detected, harmless)
}

// brokenConfigurations is F25. The cases are those of the tests of the configuration, which are run here once more.
func brokenConfigurations(s *scene) {
	cmd := exec.CommandContext(s.ctx, "go", "test", "-tags", "nomsgpack", "-count=1", "-v", "-run", "Broken|Refus|Unknown", "./cmd/safeconduct/internal/config")
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.Errorf("the tests of the configuration: %v: %s", err, oneLine(string(out[max(0, len(out)-600):])))
	}
	refusedAll := bytes.Count(out, []byte("    --- PASS"))
	if refusedAll == 0 {
		s.Errorf("the tests of the configuration ran no case: %s", oneLine(string(out[max(0, len(out)-600):])))
	}
	s.done("the broken configurations of the tests")
	s.figure("%d cases refused", refusedAll)
}
