package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Kind decides what the runtime does with an error. Dead letters carry its name.
type Kind uint8

// The kinds of error.
const (
	// Other: the message is tried again with backoff a few times, then it becomes a dead letter.
	Other Kind = iota
	// Invalid: another attempt cannot succeed, and the message becomes a dead letter at once.
	Invalid
	// Transient is expected to end by itself: the message is tried again with growing delays for hours.
	Transient
)

// String returns the name that dead letters carry: other, invalid or transient.
func (k Kind) String() string {
	switch k {
	case Other:
		return "other"
	case Invalid:
		return "invalid"
	case Transient:
		return "transient"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// ParseKind is the inverse of [Kind.String]. An unknown name is Other: a newer sender may know more kinds.
func ParseKind(name string) Kind {
	for _, k := range []Kind{Invalid, Transient} {
		if k.String() == name {
			return k
		}
	}
	return Other
}

// Error is an error with the operator it happened in and the kind that routes it.
type Error struct {
	Operator string // Operator is the stage's name; the runtime fills it in when empty.
	Message  string // Message says what was attempted; empty where Err says it all.
	Kind     Kind
	Err      error // Err is the cause, or nil.
}

// Error returns "operator: message: cause", leaving out what is empty.
func (e *Error) Error() string {
	text := e.Message
	if e.Err != nil {
		if text != "" {
			text += ": "
		}
		text += e.Err.Error()
	}
	if text == "" {
		text = e.Kind.String() + " error"
	}
	if e.Operator != "" {
		return e.Operator + ": " + text
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error of the given kind; %w wraps as in fmt.Errorf.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Err: fmt.Errorf(format, args...)}
}

// KindOf returns the kind of the outermost Error in err's chain. Without one, a deadline that passed is Transient
// and anything else is Other.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return Transient
	}
	return Other
}

// wireError is an Error as JSON: its causes are flattened to text, because other programs read it.
type wireError struct {
	Operator string `json:"operator,omitempty"`
	Kind     string `json:"kind"`
	Message  string `json:"message,omitempty"`
	Cause    string `json:"cause,omitempty"`
}

// MarshalJSON writes {"operator","kind","message","cause"}; the cause is the text of Err.
func (e *Error) MarshalJSON() ([]byte, error) {
	w := wireError{Operator: e.Operator, Kind: e.Kind.String(), Message: e.Message}
	if e.Err != nil {
		w.Cause = e.Err.Error()
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON writes. The cause comes back as a plain error of the same text.
func (e *Error) UnmarshalJSON(data []byte) error {
	var w wireError
	if err := json.Unmarshal(data, &w); err != nil {
		return fmt.Errorf("pipeline: error on the wire: %w", err)
	}
	*e = Error{Operator: w.Operator, Kind: ParseKind(w.Kind), Message: w.Message}
	if w.Cause != "" {
		e.Err = errors.New(w.Cause)
	}
	return nil
}
