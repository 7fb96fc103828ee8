package pipeline

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// A stage is not ready while it stores no dead letters for longer than a moment, until one is stored or it has none to store.
func TestUnstoredLettersShow(t *testing.T) {
	var u unstored
	at := time.Unix(1e9, 0)
	for attempt := 1; attempt <= 5; attempt++ {
		u.fail(at, errors.New("refused"))
		if err := u.fault(at); (err != nil) != (attempt == 5) {
			t.Errorf("after %v: %v", at.Sub(time.Unix(1e9, 0)), err)
		}
		at = at.Add(retryDelay(attempt, 0))
	}
	if err := u.fault(at); err == nil || !strings.Contains(err.Error(), "2001-09-09T01:46:40Z") || !strings.Contains(err.Error(), "refused") {
		t.Error(err)
	}
	if err := u.fault(at.Add(time.Hour)); err != nil {
		t.Errorf("long after the last attempt: %v", err)
	}
	u.clear()
	if err := u.fault(at); err != nil || u.failures() != 5 {
		t.Errorf("after a letter was stored: %v, %d failures", err, u.failures())
	}
}
