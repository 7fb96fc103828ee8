package server_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wavemill/pipeline/server"
)

func TestOneServerPerDirectory(t *testing.T) {
	dir := t.TempDir()
	first, err := server.Start(t.Context(), server.Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(filepath.Join(dir, "wavemill.lock"))
	t.Logf("%q", b)
	_, err = server.Start(t.Context(), server.Config{DataDir: dir})
	if err == nil || !strings.Contains(err.Error(), "in use by process") {
		t.Errorf("a second server: %v", err)
	}
	first.Shutdown()
}
