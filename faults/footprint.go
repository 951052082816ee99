package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// footprint is what a server process takes of the machine. A zero is something that was not measured.
type footprint struct {
	rss        int64 // bytes
	goroutines int64
	sockets    int64
	file       int64 // bytes of the data file
}

// What a process may breathe beyond a tenth: pools, buffers and pages of the runtime come and go in lumps.
const (
	breathingMemory = 16 << 20
	breathingCount  = 24
	breathingFile   = 8 << 20
)

// leaks holds a footprint against the one before the fault: I7.
func (f footprint) leaks(before footprint) []violation {
	var found []violation
	for _, c := range []struct {
		what          string
		before, after int64
		breathing     int64
	}{
		{"RSS", before.rss, f.rss, breathingMemory},
		{"goroutines", before.goroutines, f.goroutines, breathingCount},
		{"sockets", before.sockets, f.sockets, breathingCount},
		{"data file", before.file, f.file, breathingFile},
	} {
		if c.after > c.before+c.before/10 && c.after > c.before+c.breathing {
			found = append(found, violation{7, fmt.Sprintf("%s: %d before, %d after", c.what, c.before, c.after)})
		}
	}
	return found
}

// measureFootprint reads what /proc tells of a process.
func measureFootprint(pid int, dataFile string) (footprint, error) {
	var f footprint
	folder := filepath.Join("/proc", strconv.Itoa(pid))
	status, err := os.ReadFile(filepath.Join(folder, "status"))
	if err != nil {
		return f, err
	}
	for line := range bytes.Lines(status) {
		if rest, is := strings.CutPrefix(string(line), "VmRSS:"); is {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				return f, fmt.Errorf("read the memory of process %d: %w", pid, err)
			}
			f.rss = kib << 10
		}
	}
	files, err := os.ReadDir(filepath.Join(folder, "fd"))
	if err != nil {
		return f, err
	}
	for _, file := range files {
		if to, err := os.Readlink(filepath.Join(folder, "fd", file.Name())); err == nil && strings.HasPrefix(to, "socket:") {
			f.sockets++
		}
	}
	if info, err := os.Stat(dataFile); err == nil {
		f.file = info.Size()
	}
	return f, nil
}
