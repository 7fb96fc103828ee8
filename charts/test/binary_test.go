package charttest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// programs are what the tests run: the image's binary, and the server of the image "nats".
type programs struct{ dir, wavemill, nats string }

// built builds the programs once for all tests, into a folder that TestMain removes.
var built = sync.OnceValues(func() (programs, error) {
	dir := programFolder()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return programs{}, err
	}
	p := programs{dir: dir, wavemill: filepath.Join(dir, "wavemill"), nats: filepath.Join(dir, "nats-server")}
	for _, build := range []struct{ out, in, pkg string }{
		{p.wavemill, filepath.Join("..", ".."), "./cmd/wavemill"}, {p.nats, ".", "github.com/nats-io/nats-server/v2"},
	} {
		cmd := exec.Command("go", "build", "-buildvcs=false", "-o", build.out, build.pkg)
		cmd.Dir, cmd.Env = build.in, append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			return p, fmt.Errorf("build %s: %w\n%s", build.pkg, err, text)
		}
	}
	return p, nil
})

// programFolder is where this process has its programs.
func programFolder() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("charttest-%d", os.Getpid()))
}

// build returns the programs.
func build(t *testing.T) programs {
	t.Helper()
	p, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wavemill runs the binary and returns what it prints.
func wavemill(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), build(t).wavemill, args...)
	cmd.Stderr = t.Output()
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("wavemill %v: %v", args, err)
	}
	return string(text)
}
