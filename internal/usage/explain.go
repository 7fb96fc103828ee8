package usage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"wavemill/internal/text"
)

// The exit codes of a program, a contract with scripts.
const (
	ExitOK     = 0
	ExitFailed = 1 // the work failed or was interrupted
	ExitUsage  = 2 // the command line was wrong
	ExitNoGain = 3 // the work was done, but what the command line requires of it is not shown
)

// A codedError ends the program with an exit code of its own.
type codedError struct {
	error
	code int
}

func (e codedError) Unwrap() error { return e.error }

// WithCode returns err with the exit code that Explain gives for it, and nil for nil.
func WithCode(err error, code int) error {
	if err == nil {
		return nil
	}
	return codedError{err, code}
}

// Explain prints the error of a command, behind the name of the program, and returns the exit code that belongs to it. A
// usage error is followed by a pointer to the help of cmd.
func Explain(w io.Writer, cmd *cobra.Command, err error) int {
	fmt.Fprintf(w, "%s: %s\n", cmd.Root().Name(), text.Block(Reason(err)))
	if Is(err) {
		fmt.Fprintf(w, "Run '%s --help' for usage.\n", cmd.CommandPath())
		return ExitUsage
	}
	if coded, ok := errors.AsType[codedError](err); ok {
		return coded.code
	}
	return ExitFailed
}

// Reason is the message of an error. The end of a context is an interruption by the user, and said once.
func Reason(err error) string {
	message := err.Error()
	if file, ok := errors.AsType[*fs.PathError](err); ok { // A name may hold line ends.
		message = strings.ReplaceAll(message, file.Path, text.Line(file.Path))
	}
	if !errors.Is(err, context.Canceled) {
		return message
	}
	var lines []string
	for line := range strings.Lines(message) {
		line = strings.ReplaceAll(strings.TrimRight(line, "\n"), context.Canceled.Error(), "interrupted")
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
