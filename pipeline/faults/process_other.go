//go:build !unix

package faults

import (
	"errors"
	"os"
)

// pause and resume need signals that this system does not have.
func pause(*os.Process) error  { return errors.ErrUnsupported }
func resume(*os.Process) error { return errors.ErrUnsupported }
