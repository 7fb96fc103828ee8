// Package oracle says what a test does where the reference that it compares with is missing: another program, a Python
// package, or recordings beside the repository.
//
// On a developer's machine such a test skips with a message. In the gate, which installs every reference, it fails, so
// that a broken installation cannot turn a comparison off unnoticed.
package oracle

import (
	"os"
	"testing"
)

// Required is the environment variable that makes a missing reference a failure. The gate sets it to 1.
const Required = "WAVEMILL_ORACLES_REQUIRED"

// Missing ends the test: it skips it with the message, or fails it where Required is set. The message says what is
// missing and how to install it.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv(Required) != "" {
		t.Fatalf("a reference is missing in the gate: "+format, args...)
	}
	t.Skipf(format, args...)
}
