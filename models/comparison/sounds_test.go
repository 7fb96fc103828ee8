package comparison_test

import (
	"slices"
	"strings"
	"testing"

	"wavemill/audio/timbre"
	"wavemill/models/comparison"
	"wavemill/models/eval"
)

// sounded is a row whose kicks have a pitch and a tail, beside recordings of 55 Hz and 0.6 s, and whose hats have a tail.
func sounded(name string, pitch, tail float64) eval.Row {
	kick := timbre.Comparison{Label: "kick", Reference: timbre.Undefined(), Other: timbre.Undefined()}
	kick.Reference.Pitch, kick.Reference.Tail = 55, 0.6
	kick.Other.Pitch, kick.Other.Tail = pitch, tail
	hat := timbre.Comparison{Label: "hat", Reference: timbre.Undefined(), Other: timbre.Undefined()}
	hat.Reference.Tail, hat.Other.Tail = 0.2, tail
	return eval.Row{Name: name, Kind: "model", Sounds: []eval.Sound{{Comparison: hat}, {Comparison: kick}}}
}

func TestSoundTable(t *testing.T) {
	ceiling, model := sounded("ceiling", 54.6, 0.61), sounded("vae", 51.2, 0.3)
	ceiling.Sounds[1].RoundTrips = &timbre.Pairs{CentsError: 12.4, OffPitch: 0.25, Count: 9, Pitched: 8}
	got := comparison.SoundTable([]eval.Row{{Name: "real"}, ceiling, model})
	want := [][]string{
		{"label", "clips", "pitch Hz", "tail s", "pitch of round trips"},
		{"hat", "ceiling", "– → –", "0.20 → 0.61", ""},
		{"hat", "vae", "– → –", "0.20 → 0.30", ""},
		{"kick", "ceiling", "55 → 55", "0.60 → 0.61", "12 cents off, 25 % of 8 more than 50"},
		{"kick", "vae", "55 → 51", "0.60 → 0.30", ""},
	}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("the table is %q, want %q", got, want)
	}
	if got := comparison.SoundTable([]eval.Row{{Name: "real"}}); got != nil {
		t.Errorf("a table without sounds: %q", got)
	}
	var b strings.Builder
	if err := comparison.WriteTable(&b, comparison.Report{Report: eval.Report{Rows: []eval.Row{ceiling, model}}}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "kick   vae      55 → 51   0.60 → 0.30\n") {
		t.Errorf("the report has no sounds:\n%s", b.String())
	}
}
