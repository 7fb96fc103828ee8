package pipeline

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// A stream that confirms nothing shows when attempts have failed for ten seconds, until one succeeds or nothing is tried any more.
func TestStalledOutputsShow(t *testing.T) {
	var all stalls
	began := time.Unix(1e9, 0)
	for second := range 12 {
		at := began.Add(time.Duration(second) * time.Second)
		all.of(output{"work", TypeClip}).fail(at, "T_CLIP", errors.New("no room"))
		if err := all.fault("work", at); (err != nil) != (second >= 10) {
			t.Errorf("after %d s: %v", second, err)
		}
	}
	at := began.Add(12 * time.Second)
	if err := all.fault("work", at); err == nil || !strings.Contains(err.Error(), "T_CLIP") || !strings.Contains(err.Error(), "2001-09-09T01:46:40Z") || !strings.Contains(err.Error(), "no room") {
		t.Error(err)
	}
	if err := all.fault("other", at); err != nil {
		t.Errorf("of another operator: %v", err)
	}
	if err := all.fault("work", at.Add(time.Hour)); err != nil {
		t.Errorf("long after the last attempt: %v", err)
	}
	all.of(output{"work", TypeClip}).clear()
	if err := all.fault("work", at); err != nil {
		t.Errorf("after a confirmation: %v", err)
	}
	// One message that was refused once, and then nothing, says little about the stream.
	all.of(output{"work", TypeClip}).fail(at, "T_CLIP", errors.New("no room"))
	if err := all.fault("work", at.Add(time.Minute)); err != nil {
		t.Errorf("after one failure: %v", err)
	}
}

// However many publications wait, one line in a minute says so.
func TestAStallIsToldOnceAMinute(t *testing.T) {
	var s stall
	told := 0
	for second := range 121 {
		for range 3 {
			if s.tell(time.Unix(int64(second)+1, 0)) {
				told++
			}
		}
	}
	if told != 3 {
		t.Errorf("told %d times in two minutes, want 3", told)
	}
}
