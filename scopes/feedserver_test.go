package scopes_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// feedServer is the revocation feed of the issuer. Its cursors are numbers of entries.
type feedServer struct {
	mu      sync.Mutex
	entries []string
	dropped int           // how many of the first entries are forgotten
	grown   chan struct{} // closed when there is a new entry
	asked   []string      // what was asked for: "stream", "stream from 3", "snapshot", "unchanged"
	refuse  int           // the status by which streams are refused; 0 for none
	broken  int           // the status by which everything is refused; 0 for none
	mute    bool          // streams say nothing more
	hold    bool          // streams do not even begin
	body    string        // instead of the snapshot
	trickle bool          // streams send one entry and nothing more for now
}

func (f *feedServer) init() { f.grown = make(chan struct{}) }

// revoke appends entries, as JSON texts.
func (f *feedServer) revoke(entries ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.entries = append(f.entries, entries...)
	close(f.grown)
	f.grown = make(chan struct{})
}

// set changes the manner of the server.
func (f *feedServer) set(change func(f *feedServer)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// requests returns what was asked for since the last call.
func (f *feedServer) requests() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := strings.Join(f.asked, ", ")
	f.asked = nil
	return all
}

func (f *feedServer) revocations(w http.ResponseWriter, r *http.Request) {
	if id, secret, _ := r.BasicAuth(); id != "orders%3Aapi%261" || secret != "s3cret%2Bwith%2Fodd%3Dsigns+%25" {
		http.Error(w, "bad credential", http.StatusUnauthorized)
		return
	}
	stream := r.Header.Get("Accept") == "text/event-stream"
	f.mu.Lock()
	defer f.mu.Unlock()
	status := f.broken
	if stream && status == 0 {
		status = f.refuse
	}
	switch {
	case status != 0:
		http.Error(w, "refused", status)
	case stream:
		f.stream(w, r)
	default:
		f.snapshot(w, r)
	}
}

func (f *feedServer) all() string {
	if f.body != "" {
		return f.body
	}
	return fmt.Sprintf(`{"cursor":"%d","entries":[%s]}`, len(f.entries), strings.Join(f.entries[f.dropped:], ","))
}

func (f *feedServer) snapshot(w http.ResponseWriter, r *http.Request) {
	tag := fmt.Sprintf(`"%d-%d"`, f.dropped, len(f.entries))
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		f.asked = append(f.asked, "unchanged")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	f.asked = append(f.asked, "snapshot")
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, f.all())
}

// stream is called with the lock and gives it up while it waits.
func (f *feedServer) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	from := r.Header.Get("Last-Event-ID")
	next, err := strconv.Atoi(from)
	if f.hold {
		f.asked = append(f.asked, "held stream")
	} else if err != nil || next < f.dropped || next > len(f.entries) {
		f.asked = append(f.asked, "stream")
		next = len(f.entries)
		fmt.Fprintf(w, "event: snapshot\nid: %d\ndata: %s\n\n", next, f.all())
	} else {
		f.asked = append(f.asked, "stream from "+from)
	}
	ticker := time.NewTicker(10 * time.Second)
	defer ticker.Stop()
	ping := true // one at once: all that was missed has been sent
	for {
		if !f.mute && !f.hold {
			for ; next < len(f.entries) && (ping || !f.trickle); next++ {
				fmt.Fprintf(w, "event: revocation\nid: %d\ndata: %s\n\n", next+1, f.entries[next])
				ping = ping && !f.trickle
			}
			if ping {
				fmt.Fprint(w, ": ping\n\n")
			}
		}
		grown := f.grown
		f.mu.Unlock()
		http.NewResponseController(w).Flush()
		ping = false
		select {
		case <-grown:
		case <-ticker.C:
			ping = true
		case <-r.Context().Done():
		}
		f.mu.Lock()
		if r.Context().Err() != nil {
			return
		}
	}
}
