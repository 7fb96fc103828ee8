package main

import (
	"testing"

	"wavemill/pipeline"
)

// Verify expects an output for every input of the operators that emit for each message, and of no others: it would call the
// inputs of the others lost.
func TestWhichOperatorsEmitForEveryMessage(t *testing.T) {
	spec, err := pipeline.ParseSpec([]byte(`
name: mill
operators:
  - {operator: segment}
  - {operator: spectrogram}
  - {operator: guard, to: guarded}
  - {operator: embed, from: guarded}
  - {operator: synthesize, from: guarded}
  - {operator: train, from: guarded}
  - {operator: generate}
  - {operator: topup, config: {to: 9}}
`))
	if err != nil {
		t.Fatal(err)
	}
	stages, err := spec.Stages(operators(hooks{}))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"segment": false, "spectrogram": true, "guard": true, "embed": true, "synthesize": true, "train": false, "generate": false, "topup": false}
	for _, s := range stages {
		if s.Emits != want[s.Operator] {
			t.Errorf("%s emits for every message: %v, want %v", s.Operator, s.Emits, want[s.Operator])
		}
		delete(want, s.Operator)
	}
	if len(want) > 0 {
		t.Errorf("no stages of %v", want)
	}
}
