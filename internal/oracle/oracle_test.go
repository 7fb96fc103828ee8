package oracle_test

import (
	"runtime"
	"testing"

	"wavemill/internal/oracle"
)

// recorder notes how a test ended.
type recorder struct {
	testing.TB
	skipped, failed bool
}

func (r *recorder) Helper() {}

func (r *recorder) Skipf(string, ...any) { r.skipped = true; runtime.Goexit() }

func (r *recorder) Fatalf(string, ...any) { r.failed = true; runtime.Goexit() }

// ended runs Missing as a test would.
func ended(t *testing.T) *recorder {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		oracle.Missing(r, "no %s", "python3")
	}()
	<-done
	return r
}

func TestMissingSkipsOrFails(t *testing.T) {
	t.Setenv(oracle.Required, "")
	if r := ended(t); !r.skipped || r.failed {
		t.Errorf("without the variable: skipped %v, failed %v", r.skipped, r.failed)
	}
	t.Setenv(oracle.Required, "1")
	if r := ended(t); r.skipped || !r.failed {
		t.Errorf("in the gate: skipped %v, failed %v", r.skipped, r.failed)
	}
}
