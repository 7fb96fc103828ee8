package progress

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
)

func TestLog(t *testing.T) {
	for format, isJSON := range map[string]bool{"auto": true, "json": true, "text": false} {
		var b bytes.Buffer
		log, err := NewConsole(&b, Off).Log(format, slog.LevelWarn)
		if err != nil {
			t.Fatal(err)
		}
		log.Info("unseen")
		log.Warn("seen", "key", "value")
		if strings.Contains(b.String(), "unseen") || !strings.Contains(b.String(), "value") || json.Valid(b.Bytes()) != isJSON {
			t.Errorf("%s: %q", format, b.String())
		}
	}
	if _, err := NewConsole(new(bytes.Buffer), Off).Log("xml", slog.LevelInfo); err == nil || !strings.Contains(err.Error(), "json") {
		t.Errorf("an unknown format: %v", err)
	}
}

func TestParseMode(t *testing.T) {
	if mode, err := ParseMode("bar"); err != nil || mode != Bars {
		t.Errorf("bar: %v, %v", mode, err)
	}
	if _, err := ParseMode("bars"); err == nil || !strings.Contains(err.Error(), "lines") {
		t.Errorf("an unknown mode: %v", err)
	}
}
