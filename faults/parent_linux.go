package main

import "syscall"

// dieWithParent lets the kernel end a server when the harness is gone, however it went.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
