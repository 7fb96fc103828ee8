package usage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// The exit codes of a program, a contract with scripts.
const (
	ExitOK     = 0
	ExitFailed = 1 // the work failed or was interrupted
	ExitUsage  = 2 // the command line was wrong
)

// Explain prints the error of a command, behind the name of the program, and returns the exit code that belongs to it. A
// usage error is followed by a pointer to the help of cmd.
func Explain(w io.Writer, cmd *cobra.Command, err error) int {
	fmt.Fprintf(w, "%s: %s\n", cmd.Root().Name(), Reason(err))
	if Is(err) {
		fmt.Fprintf(w, "Run '%s --help' for usage.\n", cmd.CommandPath())
		return ExitUsage
	}
	return ExitFailed
}

// Reason is the message of an error. The end of a context is an interruption by the user, and said once.
func Reason(err error) string {
	if !errors.Is(err, context.Canceled) {
		return err.Error()
	}
	var lines []string
	for line := range strings.Lines(err.Error()) {
		line = strings.ReplaceAll(strings.TrimRight(line, "\n"), context.Canceled.Error(), "interrupted")
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
