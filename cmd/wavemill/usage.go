package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The exit codes, a contract with scripts.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// A usageError is an error in the command line: a wrong flag, a missing argument. The exit code is then 2.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// usagef returns a usage error; its message says what was wrong and what would be right.
func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func isUsage(err error) bool {
	_, ok := errors.AsType[usageError](err)
	return ok
}

// strict makes cmd and all commands below it return usage errors for wrong flags and arguments, with the nearest name
// that exists.
func strict(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(flagError)
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil && !isUsage(err) {
				return usageError{err}
			} else if err != nil {
				return err
			}
			return nil
		}
	}
	for _, child := range cmd.Commands() {
		strict(child)
	}
}

// flagError turns an error of pflag into a usage error, with a suggestion for a name that does not exist.
func flagError(cmd *cobra.Command, err error) error {
	missing, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok || missing.GetSpecifiedShortnames() != "" {
		return usageError{err}
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	if near := nearest(missing.GetSpecifiedName(), names); near != "" {
		return usagef("%w; did you mean --%s?", err, near)
	}
	return usageError{err}
}

// unknownCommand is the error for a command, args[0], that cmd does not have. It suggests the nearest name.
func unknownCommand(cmd *cobra.Command, args []string) error {
	names := childNames(cmd)
	if len(names) == 0 {
		return usagef("unknown command %q: %q has no commands of its own", args[0], cmd.CommandPath())
	}
	if near := nearest(args[0], names); near != "" {
		return usagef("unknown command %q for %q; did you mean %q?", args[0], cmd.CommandPath(), near)
	}
	return usagef("unknown command %q for %q; it has %s", args[0], cmd.CommandPath(), strings.Join(names, ", "))
}

func childNames(cmd *cobra.Command) []string {
	var names []string
	for _, child := range cmd.Commands() {
		if child.IsAvailableCommand() {
			names = append(names, child.Name())
		}
	}
	return names
}

// nearest returns the name at the smallest edit distance from word, or "" if none is near. Near means that at most a
// third of the letters differ, or that one is a prefix of the other.
func nearest(word string, names []string) string {
	best, bestDistance := "", len(word)/3+2
	for _, name := range names {
		d := editDistance(strings.ToLower(word), name)
		if len(word) > 1 && (strings.HasPrefix(name, word) || strings.HasPrefix(word, name)) {
			d = min(d, 1)
		}
		if d < bestDistance {
			best, bestDistance = name, d
		}
	}
	return best
}

// editDistance is the Levenshtein distance over bytes; names here are ASCII.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
