package text

import (
	"os/exec"
	"testing"
	"time"
)

func TestAbridge(t *testing.T) {
	for want, n := range map[string]int{"a, b, c": 3, "a and 2 more": 1} {
		if got := Abridge([]string{"a", "b", "c"}, n); got != want {
			t.Errorf("at most %d: %q, want %q", n, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 clips", 1: "1 clip", 2: "2 clips"} {
		if got := Count(n, "clip", "clips"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestRoundDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1234567 * time.Nanosecond: "1ms", 1234 * time.Millisecond: "1.2s", 61499 * time.Millisecond: "1m1s",
	} {
		if got := RoundDuration(d).String(); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// TestQuote gives quoted words to a shell, which must print them as they are.
func TestQuote(t *testing.T) {
	for word, want := range map[string]string{"plain-1.wav": "plain-1.wav", "": "''", "two words": "'two words'", "it's": `'it'\''s'`, "$HOME": "'$HOME'"} {
		quoted := Quote(word)
		if quoted != want {
			t.Errorf("Quote(%q) = %s, want %s", word, quoted, want)
		}
		if out, err := exec.Command("sh", "-c", "printf %s "+quoted).Output(); err != nil || string(out) != word {
			t.Errorf("the shell prints %q for %q (%v)", out, word, err)
		}
	}
}
