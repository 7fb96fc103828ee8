package deadletter

import (
	"slices"
	"strings"
	"time"
)

// Filter chooses letters; the zero Filter chooses all.
type Filter struct {
	Operator  string
	Label     string
	Kind      string
	Reason    string    // Reason is a part of the letter's reason.
	Since     time.Time // Since and Until bound Letter.Died, from Since (included) to Until (excluded); zero: unbounded.
	Until     time.Time
	Numbers   []uint64 // Numbers chooses by the letters' own numbers; empty: any.
	Sequences []uint64 // Sequences chooses by the sequences of the failed messages in their streams; empty: any.
	// Settled chooses the notes about letters that have been replayed or purged, instead of letters.
	Settled bool
}

// IsZero reports whether f chooses every letter.
func (f Filter) IsZero() bool {
	return f.Operator == "" && f.Label == "" && f.Kind == "" && f.Reason == "" && f.Since.IsZero() && f.Until.IsZero() &&
		len(f.Numbers) == 0 && len(f.Sequences) == 0
}

// matches reports whether f chooses l.
func (f Filter) matches(l Letter) bool {
	return f.Settled == (l.Settled != "") &&
		(f.Operator == "" || f.Operator == l.Operator) &&
		(f.Label == "" || f.Label == l.Label) &&
		(f.Kind == "" || f.Kind == l.Kind) &&
		strings.Contains(l.Reason, f.Reason) &&
		(f.Since.IsZero() || !l.Died.Before(f.Since)) &&
		(f.Until.IsZero() || l.Died.Before(f.Until)) &&
		(len(f.Numbers) == 0 || slices.Contains(f.Numbers, l.Number)) &&
		(len(f.Sequences) == 0 || slices.Contains(f.Sequences, l.Sequence))
}
