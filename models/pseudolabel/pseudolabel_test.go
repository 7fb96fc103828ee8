package pseudolabel_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/synth"
	"wavemill/models/pseudolabel"
)

// sounds are clips first to first+n-1 of each class.
func sounds(t testing.TB, first, n int) []audio.Clip {
	t.Helper()
	var out []audio.Clip
	for _, class := range synth.Classes() {
		for i := range n {
			c, err := synth.Clip(class, uint64(first+i), 8000)
			if err != nil {
				t.Fatal(err)
			}
			c.Label = class
			out = append(out, c)
		}
	}
	return out
}

// unlabelled are the clips without their labels.
func unlabelled(clips []audio.Clip) []audio.Clip {
	out := slices.Clone(clips)
	for i := range out {
		out[i].Label = ""
	}
	return out
}

func assign(t testing.TB, labelled, unknown []audio.Clip, o pseudolabel.Options) ([]pseudolabel.Assignment, pseudolabel.Report) {
	t.Helper()
	a, r, err := pseudolabel.Assign(t.Context(), labelled, unknown, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(a) != len(unknown) {
		t.Fatalf("%d assignments for %d clips", len(a), len(unknown))
	}
	return a, r
}

// Two labelled clips of each class are enough to label the others, and those that are used are better than the rest.
func TestAssign(t *testing.T) {
	labelled, truth := sounds(t, 0, 2), sounds(t, 100, 20)
	a, r := assign(t, labelled, unlabelled(truth), pseudolabel.Options{})
	right, used, usedRight, assigned := 0, 0, 0, 0
	counts := map[string]int{}
	for i, x := range a {
		ok := x.Label == truth[i].Label
		if x.Label != "" {
			assigned++
		}
		if ok {
			right++
		}
		if x.Used {
			used++
			counts[x.Label]++
			if ok {
				usedRight++
			}
			if x.Margin < r.Margin {
				t.Errorf("clip %d is used with a margin of %g, below the least of %g", i, x.Margin, r.Margin)
			}
		}
		if !(x.Margin >= 0 && x.Margin <= 1) {
			t.Errorf("clip %d: margin %g", i, x.Margin)
		}
	}
	if right < len(a)*8/10 || usedRight < used*19/20 {
		t.Errorf("%d of %d labels are right, %d of %d that are used", right, len(a), usedRight, used)
	}
	if used < assigned*6/10 || used > assigned*3/4+len(synth.Classes()) {
		t.Errorf("%d of %d clips are used, which is not three quarters or a little less", used, assigned)
	}
	for label, n := range counts {
		if n > len(truth)/len(synth.Classes())*3/4+1 {
			t.Errorf("%d clips of %s are used, more than there are likely to be certain of", n, label)
		}
	}
	if !reflect.DeepEqual(counts, r.Used) || r.Labelled != len(labelled) || r.Unlabelled != len(truth) {
		t.Errorf("report %+v; used %v", r, counts)
	}
	if r.Checked != len(labelled) || r.Right < r.Checked*8/10 {
		t.Errorf("check: %d of %d", r.Right, r.Checked)
	}
	if text := strings.Join(r.Lines(), "\n"); strings.Contains(text, "warning") || !strings.Contains(text, "bell") {
		t.Error(text)
	}
}

// Labels of unlabelled clips, level and channels count for nothing; neither does the order of the unlabelled clips.
func TestWhatDoesNotCount(t *testing.T) {
	labelled, unknown := sounds(t, 0, 2), sounds(t, 100, 4)
	want, _ := assign(t, labelled, unlabelled(unknown), pseudolabel.Options{})
	other := slices.Clone(unknown) // with labels
	for i := range other {
		other[i].Label = "kick"
	}
	if got, _ := assign(t, labelled, other, pseudolabel.Options{}); !reflect.DeepEqual(got, want) {
		t.Error("labels of unlabelled clips change the result")
	}
	for i, c := range other {
		loud := audio.Clip{Samples: make([]float32, 2*len(c.Samples)), Channels: 2, Rate: c.Rate}
		for k, v := range c.Samples {
			loud.Samples[2*k], loud.Samples[2*k+1] = v/8, v/8
		}
		other[i] = loud
	}
	slices.Reverse(other)
	got, _ := assign(t, labelled, other, pseudolabel.Options{})
	slices.Reverse(got)
	for i := range got {
		if got[i].Label != want[i].Label || math.Abs(got[i].Margin-want[i].Margin) > 0.05 {
			t.Errorf("clip %d: %+v, at another level and place %+v", i, want[i], got[i])
		}
	}
}

// A clip that cannot be compared is left alone, and does not change what the others get.
func TestUnusableClips(t *testing.T) {
	labelled, unknown := sounds(t, 0, 2), unlabelled(sounds(t, 100, 3))
	want, _ := assign(t, labelled, unknown, pseudolabel.Options{})
	silent := audio.Clip{Samples: make([]float32, 4000), Channels: 1, Rate: 8000}
	broken := audio.Clip{Samples: []float32{0.5, float32(math.NaN()), 0.1}, Channels: 1, Rate: 8000}
	got, r := assign(t, append([]audio.Clip{silent}, labelled...), slices.Concat([]audio.Clip{silent, broken}, unknown), pseudolabel.Options{})
	if !reflect.DeepEqual(got[2:], want) || got[0] != (pseudolabel.Assignment{}) || got[1] != got[0] || r.Unlabelled != len(unknown) {
		t.Errorf("%+v, %+v", got[:2], r)
	}
}

// Of more clips than can be compared, the seed chooses.
func TestMost(t *testing.T) {
	labelled, unknown := sounds(t, 0, 2), unlabelled(sounds(t, 100, 5))
	compared := func(seed uint64) (at []int) {
		a, r := assign(t, labelled, unknown, pseudolabel.Options{Most: 12, Seed: seed})
		if r.Unlabelled != 12 {
			t.Errorf("%d clips were compared, not 12", r.Unlabelled)
		}
		for i, x := range a {
			if x.Label != "" {
				at = append(at, i)
			}
		}
		return at
	}
	if a, b, c := compared(1), compared(1), compared(2); len(a) != 12 || !slices.Equal(a, b) || slices.Equal(a, c) {
		t.Errorf("seed 1: %v and %v, seed 2: %v", a, b, c)
	}
}

// Labels that have nothing to do with the sound are not found again when they are hidden, and the report says so.
func TestWarning(t *testing.T) {
	labelled := sounds(t, 0, 4)
	for i := range labelled {
		labelled[i].Label = []string{"a", "b"}[(i*7/3)%2]
	}
	_, r := assign(t, labelled, unlabelled(sounds(t, 100, 4)), pseudolabel.Options{})
	if r.Checked != len(labelled) || r.Right > r.Checked*6/10 || !strings.Contains(strings.Join(r.Lines(), "\n"), "warning") {
		t.Errorf("%d of %d; %v", r.Right, r.Checked, r.Lines())
	}
	single := []audio.Clip{labelled[0], labelled[len(labelled)-1]}
	single[0].Label, single[1].Label = "a", "b"
	if _, r := assign(t, single, unlabelled(labelled), pseudolabel.Options{}); r.Checked != 0 || !strings.Contains(strings.Join(r.Lines(), "\n"), "cannot be checked") {
		t.Errorf("%+v %v", r, r.Lines())
	}
}

func TestErrors(t *testing.T) {
	labelled, unknown := sounds(t, 0, 1), unlabelled(sounds(t, 100, 1))
	for want, f := range map[string]func() error{
		"fewer than two labels": func() error {
			_, _, err := pseudolabel.Assign(t.Context(), labelled[:1], unknown, pseudolabel.Options{})
			return err
		},
		"no unlabelled": func() error {
			_, _, err := pseudolabel.Assign(t.Context(), labelled, nil, pseudolabel.Options{})
			return err
		},
		"a share of 1.5": func() error {
			_, _, err := pseudolabel.Assign(t.Context(), labelled, unknown, pseudolabel.Options{Share: 1.5})
			return err
		},
		"number of clips": func() error {
			_, _, err := pseudolabel.Assign(t.Context(), labelled, unknown, pseudolabel.Options{Most: -1})
			return err
		},
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := pseudolabel.Assign(ctx, labelled, unknown, pseudolabel.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
