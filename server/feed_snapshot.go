package server

import "sync"

// snapshot is everything that concerns a resource, as it is sent, and the cursor behind it.
type snapshot struct {
	body    []byte
	cursor  string
	version uint64 // of the feed
}

// snapshots are those that were made last, one for each resource that has asked. When a server comes back, all who verify
// tokens ask at once: they share the bytes.
type snapshots struct {
	mu   sync.Mutex // held while one is made, so that many who ask make one
	last map[uint32]snapshot
}

// snapshot is everything that concerns a resource now.
func (f *feed) snapshot(resource uint32) snapshot {
	f.made.mu.Lock()
	defer f.made.mu.Unlock()
	f.mu.Lock()
	version := f.version
	if last, there := f.made.last[resource]; there && last.version == version {
		f.mu.Unlock()
		return last
	}
	now := f.viewOf(resource, 0)
	f.mu.Unlock()
	if f.made.last == nil {
		f.made.last = make(map[uint32]snapshot)
	}
	made := snapshot{now.body(), now.cursor, version}
	f.made.last[resource] = made
	return made
}

// body is a view as JSON. Each entry was encoded when it came; cursors need no escapes.
func (v view) body() []byte {
	out := append([]byte(`{"cursor":"`), v.cursor...)
	out = append(out, `","entries":[`...)
	for i, e := range v.entries {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, e.json...)
	}
	return append(out, "]}"...)
}
