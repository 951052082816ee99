package redistest

import "syscall"

// dieWithParent lets the kernel end the server when the test process is gone, however it went: a panic or a time-out
// runs no cleanup.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
