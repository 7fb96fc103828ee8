package pipeline

import (
	"encoding/json"
	"testing"

	"wavemill/internal/allocation"
)

// FuzzSpec shows anything in the place of a pipeline file.
func FuzzSpec(f *testing.F) {
	for _, doc := range []string{
		"name: drums\noperators:\n- {name: spectrogram, operator: spectrogram, config: {rate: 8000}}\n- name: train\n  operator: train\n",
		"name: &n wavemill\nnats: *n\nstreams: {max_age: 1h, max_bytes: 1000}\n", "a: &a [x,x]\nb: [*a,*a]\n", "name: [[[[1]]]]\n", "- - - - x", "? ? x", "%YAML 1.2\n---\nname: |\n  x\n",
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		var s Spec
		var err error
		// A token of one byte becomes a node, a value and their positions; aliases stand for 10,000 values at most.
		allocation.Check(t, len(doc), 5000, func() { s, err = ParseSpec(doc) })
		if err != nil {
			return
		}
		if err := s.Validate(); err != nil {
			t.Errorf("%q was parsed into a pipeline that is not valid: %v", doc, err)
		}
	})
}

// FuzzError shows anything in the place of the error in a dead letter.
func FuzzError(f *testing.F) {
	f.Add([]byte(`{"operator":"train","kind":"invalid","message":"the clip is silent","cause":"x"}`))
	f.Add([]byte(`{"kind":7}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var e, again Error
		var err error
		allocation.Check(t, len(text), 100, func() { err = json.Unmarshal(text, &e) })
		if err != nil {
			return
		}
		written, err := json.Marshal(&e)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(written, &again); err != nil || again.Error() != e.Error() {
			t.Errorf("%q became %q, then %q (%v)", text, e.Error(), again.Error(), err)
		}
	})
}
