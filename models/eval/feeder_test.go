package eval

import (
	"math"
	"math/rand/v2"
	"testing"

	"wavemill/models"
)

// dealt returns what share of n clips of each of two labels were recordings.
func dealt(t *testing.T, recordings, generated []int, n int) (recorded []float64) {
	t.Helper()
	data := models.Batch{T: 1, F: 1}
	for source, labels := range [][]int{recordings, generated} {
		for _, l := range labels {
			data.B++
			data.Data, data.Labels = append(data.Data, float32(source)), append(data.Labels, l)
		}
	}
	f := newFeeder(data, len(recordings), 2, augment, rand.New(rand.NewPCG(1, 2)))
	recorded = make([]float64, 2)
	var counts [2]int
	for range n {
		for l := range 2 {
			if f.data.Data[f.deal(&f.decks[l], f.all[l])] == 0 {
				counts[l]++
			}
		}
	}
	for l, c := range counts {
		recorded[l] = float64(c) / float64(n)
	}
	return recorded
}

func labelled(first, second int) []int {
	labels := make([]int, first+second)
	for i := range second {
		labels[first+i] = 1
	}
	return labels
}

// TestFewRecordingsKeepTheirShare deals three recordings beside a hundred clips, and thirty beside ten.
func TestFewRecordingsKeepTheirShare(t *testing.T) {
	got := dealt(t, labelled(3, 30), labelled(100, 10), 4000)
	if got[0] < 0.49 || got[0] > 0.52 {
		t.Errorf("three recordings beside a hundred clips are %.3f of what is dealt, want a half", got[0])
	}
	if got[1] != 0.75 {
		t.Errorf("thirty recordings beside ten clips are %.3f of what is dealt, want .75", got[1])
	}
}

// TestClipsAloneAreDealtAlike deals clips of one kind, and a label that has clips but no recordings.
func TestClipsAloneAreDealtAlike(t *testing.T) {
	if got := dealt(t, nil, labelled(5, 7), 70); got[0] != 0 || got[1] != 0 {
		t.Errorf("shares of recordings %v where there are none", got)
	}
	if got := dealt(t, labelled(5, 0), labelled(5, 7), 70); got[0] != 0.5 || got[1] != 0 {
		t.Errorf("shares of recordings %v, want a half and none", got)
	}
}

// TestMixedExamplesHaveMixedTargets mixes clips of -1 and 1, so that an example's value tells how much of which label it
// holds.
func TestMixedExamplesHaveMixedTargets(t *testing.T) {
	data := models.Batch{B: 2, T: 1, F: 1, Data: []float32{-1, 1}, Labels: []int{0, 1}}
	rng := rand.New(rand.NewPCG(1, 2))
	copied := func(dst, x []float32, _, _ int, _ *rand.Rand) { copy(dst, x) }
	f := newFeeder(data, 2, 2, copied, rng)
	f.mix = Policy{Mixup: 0.3}.mix
	x, targets := make([]float32, batchSize), make([]float32, 2*batchSize)
	mixed := 0
	for range 10 {
		f.next(x, targets)
		for i, v := range x {
			share := (v + 1) / 2 // of label 1
			want := smoothing/2 + (1-smoothing)*share
			if math.Abs(float64(targets[2*i+1]-want)) > 1e-5 || math.Abs(float64(targets[2*i]+targets[2*i+1]-1)) > 1e-5 {
				t.Fatalf("example %g has the targets %v, want %g of the second", v, targets[2*i:2*i+2], want)
			}
			if share > 0.05 && share < 0.95 {
				mixed++
			}
		}
	}
	if mixed < batchSize {
		t.Errorf("%d of %d examples are mixed", mixed, 10*batchSize)
	}
	if NoAugmentation().mix(rng) != 1 {
		t.Error("no augmentation mixes")
	}
}
