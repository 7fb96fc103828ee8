package progress

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// JSONLines returns a writer to w that turns each line of plain text into a log record of level INFO, and passes lines that
// are JSON on as they are: what a program reads that parses every line. A Console on it shows progress as such records.
func JSONLines(w io.Writer) io.Writer {
	return &jsonLines{w: w, log: slog.New(slog.NewJSONHandler(w, nil))}
}

type jsonLines struct {
	mu   sync.Mutex
	w    io.Writer
	log  *slog.Logger
	rest []byte // The beginning of a line whose end has not come yet.
}

// Write implements [io.Writer].
func (j *jsonLines) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.rest = append(j.rest, p...)
	for {
		line, rest, ended := bytes.Cut(j.rest, []byte("\n"))
		if !ended {
			return len(p), nil
		}
		j.rest = append([]byte(nil), rest...)
		text := strings.TrimSpace(string(line))
		switch {
		case text == "":
		case line[0] == '{' && json.Valid(line):
			if _, err := j.w.Write(append(slices.Clip(line), '\n')); err != nil {
				return 0, err
			}
		default:
			j.log.Info(text)
		}
	}
}
