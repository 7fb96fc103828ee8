// Package usage makes the commands of package cobra strict: an error in a command line is an [Error], which a program can
// tell from a failure of its work by [Is], and it suggests the nearest name for a flag or command that does not exist.
package usage

import (
	"errors"
	"fmt"
)

// An Error is an error in a command line: a wrong flag, a missing argument.
type Error struct{ Err error }

func (e Error) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e Error) Unwrap() error { return e.Err }

// Errorf returns an Error. Its message should say what is wrong and what would be right.
func Errorf(format string, args ...any) error { return Error{Err: fmt.Errorf(format, args...)} }

// Is reports whether err is or wraps an Error.
func Is(err error) bool {
	_, ok := errors.AsType[Error](err)
	return ok
}
