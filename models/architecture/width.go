package architecture

import (
	"encoding/json"
	"fmt"
	"strings"

	"wavemill/models/internal/config"
)

// leastWidth is the smallest width that is chosen; widths are multiples of it, so that the vectors of the kernels are full.
const leastWidth = 4

// DefaultWidth returns the width of the default configuration.
func (a Architecture) DefaultWidth() (int, error) { return a.defaultOf(a.Sizing.Width) }

func (a Architecture) defaultOf(path []string) (int, error) {
	defaults, err := json.Marshal(a.Defaults)
	if err != nil {
		return 0, fmt.Errorf("%s: defaults: %w", a.Name, err)
	}
	width, set, err := a.setting(defaults, path)
	if err == nil && (!set || width < 1) {
		err = fmt.Errorf("%s: the default configuration has no width %q above 0", a.Name, strings.Join(path, "."))
	}
	return width, err
}

// setting returns the whole number at a path of a configuration, and whether it is there.
func (a Architecture) setting(text json.RawMessage, path []string) (value int, set bool, err error) {
	raw, set, err := config.Lookup(text, path...)
	if err != nil {
		return 0, false, fmt.Errorf("%s: %w", a.Name, err)
	}
	if !set {
		return 0, false, nil
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		return 0, false, fmt.Errorf("%s: config: %s: %w", a.Name, strings.Join(path, "."), err)
	}
	return value, true, nil
}

// Width returns the width that a configuration sets and true, or the default width and false.
func (a Architecture) Width(text json.RawMessage) (width int, set bool, err error) {
	if width, set, err = a.setting(text, a.Sizing.Width); err != nil || set {
		return width, set, err
	}
	width, err = a.DefaultWidth()
	return width, false, err
}

// WithWidth returns a configuration with that width. Sizing.Follows becomes wider or narrower in proportion, in multiples
// of 4, unless the configuration names it or the width is the default.
func (a Architecture) WithWidth(text json.RawMessage, width int) (json.RawMessage, error) {
	out, err := config.With(text, width, a.Sizing.Width...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.Name, err)
	}
	if len(a.Sizing.Follows) == 0 {
		return out, nil
	}
	normal, err := a.DefaultWidth()
	if err != nil || width == normal {
		return out, err
	}
	if _, set, err := a.setting(text, a.Sizing.Follows); err != nil || set {
		return out, err
	}
	follower, err := a.defaultOf(a.Sizing.Follows)
	if err != nil {
		return nil, err
	}
	return config.With(out, max(leastWidth, follower*width/normal/leastWidth*leastWidth), a.Sizing.Follows...)
}
