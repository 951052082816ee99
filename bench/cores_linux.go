package main

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// dieWithParent lets the kernel end a child when the benchmark is gone, however it went.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// findCores looks whether this process may bind itself and others to the two cores.
func findCores() cores {
	var set unix.CPUSet
	return cores{bound: unix.SchedGetaffinity(0, &set) == nil && set.IsSet(serverCore) && set.IsSet(clientCore)}
}

// start starts a process on one core: a child inherits the cores of the thread that starts it.
func (c cores) start(core int, process *exec.Cmd) error {
	if !c.bound {
		return process.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	one.Set(core)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return err
	}
	defer func() { _ = unix.SchedSetaffinity(0, &before) }()
	return process.Start()
}

// stay binds every thread of this process to some cores; threads that come later inherit that.
func (c cores) stay(on ...int) error {
	if !c.bound {
		return nil
	}
	var set unix.CPUSet
	for _, core := range on {
		set.Set(core)
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, &set); err != nil && err != unix.ESRCH {
			return err
		}
	}
	return nil
}
