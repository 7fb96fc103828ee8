package usage

import (
	"fmt"
	"strconv"
)

// An Optional is the value of a flag that sets a pointer: it stays nil where the flag is not given. It implements
// [github.com/spf13/pflag.Value].
type Optional[T int | float64] struct {
	to  **T
	def T // shown as the default
}

// NewOptional returns a flag that sets *to. The default is only shown in the help; 0 shows none.
func NewOptional[T int | float64](to **T, def T) Optional[T] { return Optional[T]{to, def} }

// Set parses text into a new value.
func (o Optional[T]) Set(text string) error {
	v := new(T)
	var err error
	switch v := any(v).(type) {
	case *int:
		var n int64
		n, err = strconv.ParseInt(text, 0, strconv.IntSize)
		*v = int(n)
	case *float64:
		*v, err = strconv.ParseFloat(text, 64)
	}
	if err == nil {
		*o.to = v
	}
	return err
}

// String returns the value, or the default where there is none.
func (o Optional[T]) String() string {
	if o.to == nil || *o.to == nil {
		return fmt.Sprint(o.def)
	}
	return fmt.Sprint(**o.to)
}

// Type returns the name of the type, for the help.
func (o Optional[T]) Type() string { return fmt.Sprintf("%T", o.def) }
