package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// command runs the command line beside the node's server, or on its data when that does not run.
func (n *node) command(args ...string) {
	program, err := n.in.program()
	n.in.s.must(err)
	cmd := exec.CommandContext(n.in.s.ctx, program, append(args, "--data-dir", "data")...)
	cmd.Dir, cmd.Env = n.dir, environment(n.in.env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		n.in.s.Fatalf("safeconduct %s: %v: %s", args[0], err, oneLine(string(out)))
	}
}

// restoredBackup is F17: a backup of a running server, restored in both ways.
func restoredBackup(s *scene) {
	backups := pick(s, 2, 10)
	in := s.install("")
	n := in.addNode().mustStart()
	in.furnish(16)
	l := in.newLoad()
	// Half of these people's delegations have ended before any backup, a quarter ends after each.
	holders, rest := in.people[:8], in.people[8:]
	in.people = rest
	l.begin(8, func(int) func() string { return n.to })
	l.warmUp()
	var revived, kept int
	for i := range backups {
		var live, since, gone []*delegation
		for j, person := range holders {
			p := in.newParty(l.ledger, person, in.site, n.to)
			live, since, gone = append(live, l.delegate(p)), append(since, l.delegate(p)), append(gone, l.delegate(p))
			l.end(gone[j])
		}
		file := filepath.Join(in.dir, fmt.Sprint("backup", i))
		n.command("store", "backup", file)
		for _, d := range append(since, live...) {
			l.refresh(d) // what the backup does not know of
		}
		for _, d := range since {
			l.end(d)
		}
		for _, end := range []bool{false, true} {
			other := in.restored(n, file, end)
			for name, list := range map[string][]*delegation{"live": live, "ended since": since, "ended before": gone} {
				for _, d := range list {
					p := in.newParty(l.ledger, "", in.site, other.to)
					lives := p.good(d)
					if want := !end && name != "ended before"; lives != want {
						s.Errorf("restored, all ended: %v; a delegation that was %s lives: %v", end, name, lives)
					}
					if lives && name == "ended since" {
						revived++
					} else if lives {
						kept++
					}
				}
			}
			other.process.kill()
		}
		for _, d := range live {
			l.end(d)
		}
	}
	in.nodes = in.nodes[:1]
	f := l.judge(promise{})
	s.done("%d backups under load, each restored with --keep-sessions and with --end-all-sessions, %d requests", backups, f.requests)
	s.figure("kept: %d live ones, refreshed since the backup, go on; %d that had ended since are back, as restore says; none that had ended before. Ended: none lives", kept, revived)
}

// restored starts a server on a backup. It has the system secrets of the first.
func (in *installation) restored(first *node, file string, end bool) *node {
	n := in.addNode()
	data := filepath.Join(n.dir, "data")
	in.s.must(os.Mkdir(data, 0o700))
	secrets, err := os.ReadFile(filepath.Join(first.dir, "data", "secrets"))
	in.s.must(err)
	in.s.must(os.WriteFile(filepath.Join(data, "secrets"), secrets, 0o600))
	how := "--keep-sessions"
	if end {
		how = "--end-all-sessions"
	}
	n.command("store", "restore", file, how)
	return n.mustStart()
}

// good reports whether the latest refresh token of a delegation is good at the party's server. It is no matter of the
// ledger, which is about another server.
func (p *party) good(d *delegation) bool {
	e := entry{}
	e.read(p.send(p.in.s.ctx, "POST", "/oauth/token", map[string][]string{"grant_type": {"refresh_token"}, "refresh_token": {d.refresh}}, &p.app))
	return e.Access != ""
}
