package convert

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"wavemill/audio/dataset"
)

// writeError marks a failure to write results, which ends a conversion: the next file would fail too.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }

// Unwrap returns what failed.
func (e *writeError) Unwrap() error { return e.err }

// ifWriting marks an error of a file as a failure to write; others, such as of samples that cannot
// be encoded, stay as they are.
func ifWriting(err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return &writeError{err}
	}
	return err
}

// asWriteError finds the writeError in an error's chain.
func asWriteError(err error) (error, bool) {
	e, ok := errors.AsType[*writeError](err)
	if !ok {
		return nil, false
	}
	return e.err, true
}

// reason is an error without the path that it begins with.
func reason(path string, err error) string {
	text := strings.TrimPrefix(err.Error(), path+": ")
	for _, verb := range []string{"open ", "read "} {
		text = strings.TrimPrefix(text, verb+path+": ")
	}
	return text
}

// sortedSkips joins lists of skips, sorted by path.
func sortedSkips(lists ...[]dataset.Skip) []dataset.Skip {
	all := slices.Concat(lists...)
	slices.SortStableFunc(all, func(a, b dataset.Skip) int { return strings.Compare(a.Path, b.Path) })
	return all
}
