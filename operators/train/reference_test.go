package train

import (
	"fmt"
	"slices"
	"testing"

	"wavemill/audio/dataset"
	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/training"
)

// exampleReference has n learnt and n held-out recordings of each label.
func exampleReference(n int, labels ...string) Reference {
	f := Reference{
		FrontEnd: models.FrontEnd{Spectrogram: spectrogram.Config{SampleRate: 8000, NFFT: 16, Hop: 4, Window: "hann", Scale: "linear", Value: "magnitude", FMax: 4000}, Frames: 4},
		Labels:   labels, Seed: 7,
	}
	batch := func(part string) (models.Batch, []models.Recording) {
		b := models.Batch{B: n * len(labels), T: 4, F: 9}
		var of []models.Recording
		for i := range b.B {
			at := i % len(labels)
			b.Labels = append(b.Labels, at)
			b.Data = append(b.Data, slices.Repeat([]float32{float32(i)}, 4*9)...)
			of = append(of, models.Recording{Source: "s", Label: labels[at], Digest: fmt.Sprint(part, labels[at], i)})
		}
		return b, of
	}
	f.Learnt, f.learnt = batch("learnt ")
	f.HeldOut, f.heldOut = batch("held out ")
	return f
}

func TestReferenceIsStoredWhole(t *testing.T) {
	f := exampleReference(3, "a", "b")
	content, err := f.checkpoint().Encode()
	if err != nil {
		t.Fatal(err)
	}
	c, err := models.Decode(content)
	if err != nil {
		t.Fatal(err)
	}
	got, err := openReference(c)
	if err != nil || got.Digest == "" || got.Seed != 7 || got.FrontEnd != f.FrontEnd || !slices.Equal(got.Labels, f.Labels) ||
		!slices.Equal(got.HeldOut.Data, f.HeldOut.Data) || !slices.Equal(got.HeldOut.Labels, f.HeldOut.Labels) || !slices.Equal(got.learnt, f.learnt) {
		t.Errorf("%+v %v", got, err)
	}
	for name, spoil := range map[string]func(*models.Checkpoint){
		"another kind":     func(c *models.Checkpoint) { c.Arch = "vae" },
		"no recordings":    func(c *models.Checkpoint) { c.Data = nil },
		"too few of them":  func(c *models.Checkpoint) { c.Data.HeldOut = c.Data.HeldOut[1:] },
		"no tensor":        func(c *models.Checkpoint) { c.Tensors = c.Tensors[:1] },
		"an unknown label": func(c *models.Checkpoint) { c.Data.Learnt[0].Label = "z" },
	} {
		bad, err := models.Decode(content)
		if err != nil {
			t.Fatal(err)
		}
		spoil(&bad)
		if _, err := openReference(bad); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A new label is added; the recordings of the others stay as they are.
func TestReferenceTakesNewLabels(t *testing.T) {
	f := exampleReference(2, "a", "c").joined(exampleReference(3, "b"))
	if !slices.Equal(f.Labels, []string{"a", "b", "c"}) || f.Learnt.B != 7 || f.HeldOut.B != 7 || f.Classifier != nil {
		t.Fatalf("%+v", f)
	}
	for i, x := range f.heldOut {
		if f.Labels[f.HeldOut.Labels[i]] != x.Label {
			t.Errorf("recording %d: label %d for %q", i, f.HeldOut.Labels[i], x.Label)
		}
	}
	if !slices.Equal(f.HeldOut.Clip(3), exampleReference(2, "a", "c").HeldOut.Clip(3)) {
		t.Error("the first recordings have changed")
	}
}

// Models are not compared on labels that one does not know, nor on recordings that one has learnt from.
func TestReferenceIsLimitedToWhatIsFair(t *testing.T) {
	f := exampleReference(3, "a", "b", "c")
	f.Classifier = &models.Checkpoint{}
	all := models.Checkpoint{Labels: []string{"a", "b", "c"}}
	if got := f.limited(all, all); got.HeldOut.B != 9 || got.Classifier == nil {
		t.Errorf("%d recordings", got.HeldOut.B)
	}
	got := f.limited(all, models.Checkpoint{Labels: []string{"a", "c", "d"}})
	if !slices.Equal(got.Labels, []string{"a", "c"}) || got.HeldOut.B != 6 || got.Learnt.B != 6 || got.Classifier != nil || slices.Max(got.HeldOut.Labels) != 1 {
		t.Errorf("%v, %d recordings", got.Labels, got.HeldOut.B)
	}
	seen := models.Checkpoint{Labels: all.Labels, Data: &models.TrainingData{Learnt: []models.Recording{f.heldOut[0], f.heldOut[1]}, Chosen: []models.Recording{f.heldOut[3]}}}
	got = f.limited(all, seen) // Of a there is one left, which is too few; of b two.
	if !slices.Equal(got.Labels, []string{"b", "c"}) || got.HeldOut.B != 5 {
		t.Errorf("%v, %d recordings", got.Labels, got.HeldOut.B)
	}
	if f.HeldOut.B != 9 || len(f.Labels) != 3 {
		t.Error("the reference itself has changed")
	}
}

// Of many recordings as many of each label are taken, the same ones in whatever order they come.
func TestReferenceTakesASample(t *testing.T) {
	f := exampleReference(1, "a", "b")
	var examples []training.Example
	for i := range 40 {
		s := &spectrogram.Spectrogram{Config: f.FrontEnd.Spectrogram, Frames: 4, Bins: 9, Data: make([]float32, 36)}
		examples = append(examples, training.Example{Identity: dataset.Identity{Label: []string{"a", "b", "b", "b"}[i%4], Digest: fmt.Sprintf("%02d", i*7%40)}, Spectrogram: s})
	}
	b, of, err := f.take(examples, 16)
	if err != nil || b.B != 16 || len(of) != 16 {
		t.Fatalf("%d recordings, %v", b.B, err)
	}
	slices.Reverse(examples)
	if _, again, err := f.take(examples, 16); err != nil || !slices.Equal(again, of) {
		t.Errorf("%v, then %v, %v", of, again, err)
	}
}
