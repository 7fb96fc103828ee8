package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
)

// An interrupted command exits with 1 and says that it was interrupted, and no task claims to be done.
func TestInterruptedCommand(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	errOut := &interrupter{cancel: cancel}
	code := execute(ctx, []string{"synth", "--out", filepath.Join(t.TempDir(), "set"), "--n", "1000", "--progress", "bar"}, nil, &out, errOut)
	text := errOut.text.String()
	if cancel(); code != exitFailed || !strings.HasSuffix(text, "wavemill: interrupted\n") {
		t.Errorf("exit code %d, %q", code, text)
	}
	if strings.Contains(text, "100%") || strings.Contains(text, "context canceled") || !strings.Contains(text, "synthesise: interrupted at") {
		t.Errorf("%q", text)
	}
}

// An interrupter cancels when a bar is drawn, as a user does who presses Ctrl-C.
type interrupter struct {
	text   strings.Builder
	cancel context.CancelFunc
}

func (i *interrupter) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("synthesise")) {
		i.cancel()
	}
	return i.text.Write(p)
}
