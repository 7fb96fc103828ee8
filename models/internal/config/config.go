// Package config reads the configurations of architectures: strict decoding over defaults, checks of ranges, and
// settings at a path of a JSON object.
package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Parse reads JSON over defaults and validates the result. Nil or empty text means the defaults; an unknown field is an
// error. Errors of decoding begin with the architecture's name.
func Parse[C interface{ Validate() error }](arch string, text json.RawMessage, defaults C) (C, error) {
	c := defaults
	if len(text) > 0 {
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&c); err != nil {
			return c, fmt.Errorf("%s: config: %w", arch, err)
		}
	}
	return c, c.Validate()
}

// A Check collects what is wrong with a configuration. Prefix begins every message.
type Check struct {
	Prefix string
	errs   []error
}

// Within notes that a field is not between lo and hi, both included. NaN is not.
func (c *Check) Within(field string, v, lo, hi float64) {
	if !(v >= lo && v <= hi) {
		c.errs = append(c.errs, fmt.Errorf("%s%s: %g is not between %g and %g", c.Prefix, field, v, lo, hi))
	}
}

// Add notes an error of another check. Nil is ignored.
func (c *Check) Add(err error) { c.errs = append(c.errs, err) }

// Notef notes a message.
func (c *Check) Notef(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf(c.Prefix+format, args...))
}

// Err returns all that was noted, or nil.
func (c *Check) Err() error { return errors.Join(c.errs...) }

// Lookup returns the setting at a path of field names, and whether it is there. Empty text has no settings.
func Lookup(text json.RawMessage, path ...string) (value json.RawMessage, found bool, err error) {
	value = text
	for _, field := range path {
		if len(value) == 0 {
			return nil, false, nil
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(value, &fields); err != nil {
			return nil, false, fmt.Errorf("config: %w", err)
		}
		if value, found = fields[field]; !found {
			return nil, false, nil
		}
	}
	return value, found, nil
}

// With returns text with the setting at a path set to value. Objects on the way are made. Fields come out in the order
// of their names, so that equal settings have equal bytes.
func With(text json.RawMessage, value any, path ...string) (json.RawMessage, error) {
	if len(path) == 0 {
		return json.Marshal(value)
	}
	fields := map[string]json.RawMessage{}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &fields); err != nil {
			return nil, fmt.Errorf("config: %w", err)
		}
		if fields == nil { // null
			fields = map[string]json.RawMessage{}
		}
	}
	inner, err := With(fields[path[0]], value, path[1:]...)
	if err != nil {
		return nil, err
	}
	fields[path[0]] = inner
	return json.Marshal(fields)
}

// WithDefault is With where the setting at the path is not there yet, and reports whether it was set. Errors begin with the
// architecture's name.
func WithDefault(arch string, text json.RawMessage, value any, path ...string) (json.RawMessage, bool, error) {
	_, found, err := Lookup(text, path...)
	if err == nil && found {
		return text, false, nil
	}
	if err == nil {
		text, err = With(text, value, path...)
	}
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", arch, err)
	}
	return text, true, nil
}
