//go:build unix

package faults

import (
	"os"
	"syscall"
)

// pause stops a process; resume lets it go on.
func pause(p *os.Process) error  { return p.Signal(syscall.SIGSTOP) }
func resume(p *os.Process) error { return p.Signal(syscall.SIGCONT) }
