package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// door is the way into a server that was built to be broken (see cmd/safeconduct/internal/node/door_faults.go).
type door struct {
	s      *scene
	path   string
	client *http.Client
}

// addBreakable prepares a node with a door.
func (in *installation) addBreakable() (*node, *door) {
	in.program = in.s.programs.breakable
	path := filepath.Join(in.s.TempDir(), "door")
	n := in.addNode("FAULTS_DOOR=" + path)
	return n, &door{in.s, path, &http.Client{Timeout: askPatience, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}}
}

// clear takes away the socket of a server that was killed.
func (d *door) clear() { _ = os.Remove(d.path) }

// setClock sets the server's clock forward or back against the machine's.
func (d *door) setClock(by time.Duration) {
	response, err := d.client.Post("http://door/clock?by="+by.String(), formType, nil)
	d.s.must(err)
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		d.s.Fatalf("the door does not set the clock: %d", response.StatusCode)
	}
}

func (d *door) count(path string) int64 {
	response, err := d.client.Get("http://door" + path)
	d.s.must(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	d.s.must(err)
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		d.s.Fatalf("the door says %q", text)
	}
	return n
}

func (d *door) goroutines() int64 { return d.count("/goroutines") }

// footprint is that of the door's node, with its goroutines.
func (d *door) footprint(n *node) footprint {
	f := n.footprint()
	f.goroutines = d.goroutines()
	return f
}

// calmDown is noLeaks with the goroutines.
func (d *door) calmDown(n *node, before footprint) {
	after := d.s.settle(before, func() footprint { return d.footprint(n) })
	d.s.figure("goroutines %d → %d, RSS %d → %d MiB", before.goroutines, after.goroutines, before.rss>>20, after.rss>>20)
}
