package eval

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"wavemill/models"
)

// TestTrainTuned trains on few clips twice. The choice is by clips that were not trained on, and the classifier is the
// same again, also out of a checkpoint.
func TestTrainTuned(t *testing.T) {
	train, test := classes(t, 4, 0), classes(t, 6, 500)
	o := TunedOptions{Seed: 3, Steps: 48, Policies: []Policy{NoAugmentation(), Policies()[2]}}
	var seen []string
	o.OnProgress = func(what string, part float64) {
		if part < 0 || part > 1 {
			t.Errorf("%s: part %g", what, part)
		}
		if !slices.Contains(seen, what) {
			seen = append(seen, what)
		}
	}
	c, tuning, err := TrainTuned(t.Context(), train, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(tuning.Policies) != 2 || tuning.Clips != len(train) || tuning.Steps != 8 || len(seen) != 2 {
		t.Errorf("tuning %+v, told of %q", tuning, seen)
	}
	least := slices.MinFunc(tuning.Policies, func(a, b PolicyFigures) int {
		if a.NLL < b.NLL {
			return -1
		}
		return 1
	})
	if least.Policy != tuning.Policy.Name {
		t.Errorf("chose %s of %+v", tuning.Policy.Name, tuning.Policies)
	}
	p, err := c.Predict(t.Context(), test)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i, l := range p.Labels() {
		if c.Labels()[l] == test[i].Label {
			right++
		}
	}
	if right < len(test)*8/10 {
		t.Errorf("%d of %d clips right", right, len(test))
	}
	if c.HeldOut().Clips != len(train) {
		t.Errorf("held out %+v", c.HeldOut())
	}
	cp, err := c.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	opened, err := Open(cp)
	if err != nil {
		t.Fatal(err)
	}
	for _, members := range []string{"-1", "65", "4"} {
		wrong := cp
		wrong.Config = bytes.Replace(cp.Config, []byte(`"members":3`), []byte(`"members":`+members), 1)
		if _, err := Open(wrong); err == nil || bytes.Equal(wrong.Config, cp.Config) {
			t.Errorf("a checkpoint of 3 networks opens with %s", wrong.Config)
		}
	}
	again, _, err := TrainTuned(t.Context(), train, o)
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]*Classifier{"opened": opened, "trained again": again} {
		q, err := other.Predict(t.Context(), test[:2])
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(q.Probs[0], p.Probs[0]) || !slices.Equal(q.Probs[1], p.Probs[1]) {
			t.Errorf("%s: probabilities %v, want %v", name, q.Probs, p.Probs[:2])
		}
	}
}

// TestTuningOfSingleClips has nothing to choose by.
func TestTuningOfSingleClips(t *testing.T) {
	_, tuning, err := TrainTuned(t.Context(), classes(t, 1, 0), TunedOptions{Steps: 2})
	if err != nil {
		t.Fatal(err)
	}
	if tuning.Policy.Name == "none" || tuning.Clips != 0 {
		t.Errorf("%+v", tuning)
	}
	if _, _, err := TrainTuned(t.Context(), classes(t, 3, 0)[:1], TunedOptions{Steps: 2}); err == nil {
		t.Error("a single label is accepted")
	}
}

// TestFoldsHoldEachClipOutOnce checks labels of one, two and seven clips.
func TestFoldsHoldEachClipOutOnce(t *testing.T) {
	labels := []int{0, 1, 1, 2, 2, 2, 2, 2, 2, 2}
	s := &set{labels: []string{"a", "b", "c"}, train: models.Batch{B: len(labels), T: 1, F: 1, Labels: labels}}
	for i := range labels {
		s.train.Data = append(s.train.Data, float32(i))
	}
	held := map[float32]int{}
	for _, part := range s.folds(1) {
		for _, v := range part.heldOut.Data {
			held[v]++
			if slices.Contains(part.train.Data, v) {
				t.Errorf("clip %g is trained on and held out", v)
			}
		}
		if part.train.B+part.heldOut.B != len(labels) || !slices.Contains(part.train.Labels, 1) {
			t.Errorf("train %v, held out %v", part.train.Labels, part.heldOut.Labels)
		}
	}
	if held[0] != 0 || len(held) != len(labels)-1 {
		t.Errorf("held out %v", held)
	}
}

// TestPolicyMoves checks what single changes do to a clip with one loud value.
func TestPolicyMoves(t *testing.T) {
	const frames, bins = 32, 16
	x := make([]float32, frames*bins)
	quieten(x)
	x[16*bins+8] = 1
	rng := rand.New(rand.NewPCG(1, 1))
	// centre is the mean place of what is not silent.
	centre := func(y []float32) (at, bin, sum float64) {
		for i, v := range y {
			w := float64(v) - silence
			at += w * float64(i/bins)
			bin += w * float64(i%bins)
			sum += w
		}
		return at / sum, bin / sum, sum
	}
	y := make([]float32, len(x))
	for name, c := range map[string]struct {
		p           Policy
		frame, most float64 // how far the centre may move
		bin         float64
	}{
		"none":  {NoAugmentation(), 0, 0, 0},
		"shift": {Policy{Shift: 0.25}, 8, 8, 0},
		"pitch": {Policy{Pitch: 0.25}, 0, 0, 4},
		"speed": {Policy{Speed: 0.3}, 0.2, 0.2, 0},
		"warp":  {Policy{Warp: 0.3}, 0, 0, 0.2},
	} {
		var farthest, highest float64
		for range 200 {
			c.p.alter(y, x, frames, bins, rng)
			at, bin, sum := centre(y)
			if math.Abs(at-16) > c.most+1e-4 || math.Abs(bin-8) > c.bin+1e-4 {
				t.Fatalf("%s: moved to frame %g, bin %g", name, at, bin)
			}
			if name != "speed" && name != "warp" && math.Abs(sum-2) > 1e-4 {
				t.Fatalf("%s: the sum changed to %g", name, sum)
			}
			farthest, highest = max(farthest, math.Abs(at-16)), max(highest, math.Abs(bin-8))
		}
		if farthest < 0.6*c.frame || highest < 0.4*c.bin {
			t.Errorf("%s: moved by at most %g frames and %g bins", name, farthest, highest)
		}
		if name == "none" && !slices.Equal(x, y) {
			t.Error("no augmentation changes a clip")
		}
	}
	for _, p := range Policies() {
		for range 50 {
			p.alter(y, x, frames, bins, rng)
			if slices.Min(y) < silence || slices.ContainsFunc(y, func(v float32) bool { return v != v }) {
				t.Fatalf("%s: a value below silence", p.Name)
			}
		}
	}
}

// TestMovedClipsLeaveSilence moves a clip that is loud throughout. What is moved in from outside is silent, but for one
// value between the two.
func TestMovedClipsLeaveSilence(t *testing.T) {
	const frames, bins = 16, 16
	x := slices.Repeat([]float32{1}, frames*bins)
	y := make([]float32, len(x))
	rng := rand.New(rand.NewPCG(2, 2))
	moved := 0
	for range 100 {
		for name, p := range map[string]Policy{"pitch": {Pitch: 0.5}, "shift": {Shift: 0.5}} {
			p.alter(y, x, frames, bins, rng)
			line := y[:bins]
			if name == "shift" {
				line = nil
				for f := range frames {
					line = append(line, y[f*bins])
				}
			}
			between, silent := 0, 0
			for _, v := range line {
				if v == silence {
					silent++
				} else if v < 1 {
					between++
				}
			}
			if between > 1 || silent > 8 {
				t.Fatalf("%s: %v", name, line)
			}
			moved = max(moved, silent)
		}
	}
	if moved < 6 {
		t.Errorf("moved by at most %d", moved)
	}
}
