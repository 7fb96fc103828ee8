package sampling_test

import (
	"encoding/json"
	"testing"

	"wavemill/models/eval"
	"wavemill/models/sampling"
)

// TestFacts checks the JSON of clips of every kind.
func TestFacts(t *testing.T) {
	like, other := &sampling.Source{File: "a.wav"}, &sampling.Source{File: "b.wav"}
	rejected := sampling.Attempt{
		Clip:         sampling.Clip{Provenance: sampling.Provenance{Label: "x", Seed: 2}},
		FilterResult: eval.FilterResult{Reason: "copy", Confidence: 0.5, Newness: 0.25, Realness: new(0.75)},
		Tries:        3, Rejected: sampling.Rejections{"copy": 3},
	}
	for want, facts := range map[string]sampling.ClipFacts{
		`{"file":"","label":"x","seed":7,"confidence":null,"model":"m"}`: sampling.Provenance{Label: "x", Seed: 7, Model: "m"}.Facts(),
		`{"file":"","label":"x","seed":7,"confidence":null,"temperature":0.5,"like":"a.wav","strength":0}`: sampling.Provenance{
			Label: "x", Seed: 7, Temperature: 0.5, Like: like,
		}.Facts(),
		`{"file":"","label":"x-y","seed":0,"confidence":null,"mix":{"from":"x","to":"y","weight":0.5,"like":"b.wav"},"like":"a.wav"}`: sampling.Provenance{
			Label: "x", Like: like, Mix: &sampling.Mix{Label: "y", Weight: 0.5, Like: other},
		}.Facts(),
		`{"file":"","label":"x","seed":2,"confidence":0.5,"newness":0.25,"realness":0.75,"tries":3,"refused":{"copy":3},"reason":"copy"}`: rejected.Facts(),
	} {
		got, err := json.Marshal(facts)
		if err != nil || string(got) != want {
			t.Errorf("%s (%v), want %s", got, err, want)
		}
	}
	if got, want := rejected.String(), "none of 3 tries passed (refused: 3 copy); the best was seed 2: copy, confidence 0.50"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	tally := sampling.Tally{Tried: 8, Passed: 2, Best: 1, Rejected: sampling.Rejections{"copy": 6}}
	if got, want := tally.String(), "2 of 8 tries passed (25 %); refused: 6 copy; 1 clips did not pass and are kept as the best of their tries"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
