package eval_test

import (
	"strings"
	"testing"

	"wavemill/models/eval"
)

// A trained filter is the one of its classifier and the recordings, and warns where the classifier is not accurate enough.
func TestTrainFilter(t *testing.T) {
	clips := synthetic(t, 4, 1, 8000)
	o := eval.Options{Seed: 1, Epochs: 1}
	f, err := eval.TrainFilter(t.Context(), clips, o)
	if err != nil {
		t.Fatal(err)
	}
	c, err := eval.Train(t.Context(), clips, o)
	if err != nil {
		t.Fatal(err)
	}
	want, err := eval.NewFilter(t.Context(), c, clips, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, errA := f.Checkpoint()
	b, errB := want.Checkpoint()
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	x, errX := a.Encode()
	y, errY := b.Encode()
	if errX != nil || errY != nil || string(x) != string(y) {
		t.Errorf("another filter: %v, %v", errX, errY)
	}
	if c.HeldOutAccuracy() >= eval.Gate {
		t.Fatalf("one epoch gives an accuracy of %.2f", c.HeldOutAccuracy())
	}
	if w := f.Warning(); !strings.Contains(w, "accuracy of only") || !strings.Contains(w, "less than 97 %") {
		t.Error(w)
	}
	if w := sieve(t, synthetic(t, 20, 0, 8000)).Warning(); w != "" {
		t.Errorf("of an accurate classifier: %s", w)
	}
	if _, err := eval.TrainFilter(t.Context(), clips[:1], o); err == nil {
		t.Error("a filter of one recording")
	}
}
