package progress

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/lmittmann/tint"
)

// ParseMode returns the mode of that name: auto, bar, lines or off.
func ParseMode(name string) (Mode, error) {
	modes := map[string]Mode{"auto": Auto, "bar": Bars, "lines": Lines, "off": Off}
	mode, ok := modes[name]
	if !ok {
		return Auto, fmt.Errorf("progress is one of auto, bar, lines, off; not %q", name)
	}
	return mode, nil
}

// Log returns a log that is written above the progress, from the given level upwards. format is text, json, or auto: text
// on a terminal and else json.
func (c *Console) Log(format string, level slog.Level) (*slog.Logger, error) {
	text := format == "text" || format == "auto" && isTerminal(c.w)
	switch {
	case text:
		return slog.New(tint.NewTextHandler(c, &tint.Options{Level: level, TimeFormat: time.TimeOnly, NoColor: !colors(c.w)})), nil
	case format == "json" || format == "auto":
		return slog.New(slog.NewJSONHandler(c, &slog.HandlerOptions{Level: level})), nil
	}
	return nil, fmt.Errorf("log is one of auto, text, json; not %q", format)
}
