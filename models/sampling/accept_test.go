package sampling_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"wavemill/audio"
	"wavemill/models/eval"
	"wavemill/models/sampling"
)

// picky accepts clips by their loudest sample, which is as good as random, and rejects silent ones. It counts its calls.
type picky struct {
	loudest float64 // least
	clips   *int
}

var _ sampling.Filter = (*eval.Filter)(nil)

func (p picky) CheckFor(_ context.Context, clips []audio.Clip, conditions []eval.Condition) ([]eval.FilterResult, error) {
	if p.clips != nil {
		*p.clips += len(clips)
	}
	out := make([]eval.FilterResult, len(clips))
	for i, c := range clips {
		peak := c.Peak()
		out[i] = eval.FilterResult{Confidence: peak, OK: peak >= p.loudest}
		switch {
		case conditions[i].Label != "high" || c.Label != "high":
			return nil, fmt.Errorf("clip %q is checked against %+v", c.Label, conditions[i])
		case peak == 0:
			out[i].Reason = "silent"
		case !out[i].OK && int(1e6*peak)%2 == 0:
			out[i].Reason = "heard as very low"
		case !out[i].OK:
			out[i].Reason = "unsure"
		}
	}
	return out, nil
}

// high is the kind of clips that the tests search.
func high() sampling.Kind { return sampling.Labels([]string{"high"}, 0)[0] }

// quantile returns the peak that so many of the first 200 clips are below.
func quantile(t *testing.T, s *sampling.Sampler, q float64) float64 {
	t.Helper()
	clips, err := s.WithSilence().Series(t.Context(), sampling.BySeed([]sampling.Kind{high()}, 0, 200), nil)
	if err != nil {
		t.Fatal(err)
	}
	peaks := make([]float64, len(clips))
	for i, c := range clips {
		d, err := c.Decoded()
		if err != nil {
			t.Fatal(err)
		}
		peaks[i] = d.Peak()
	}
	slices.Sort(peaks)
	return peaks[int(q*float64(len(peaks)))]
}

// found is what Accept reports, in a form that can be compared.
type found struct {
	seed     uint64
	tries    int
	kept, ok bool
	rejected string
}

func accept(t *testing.T, s *sampling.Sampler, f sampling.Filter, p sampling.Policy) ([]found, sampling.Tally) {
	t.Helper()
	var all []found
	tally, err := s.Accept(t.Context(), high(), f, p, func(a sampling.Attempt) error {
		all = append(all, found{a.Seed, a.Tries, a.Kept, a.OK, fmt.Sprint(a.Rejected)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all, tally
}

// TestAcceptDoesNotDependOnTriesAtOnce also checks that the clips are those that pass, in the order of their seeds, and
// that all tries are counted.
func TestAcceptDoesNotDependOnTriesAtOnce(t *testing.T) {
	s := ridged(t, func(seed uint64) bool { return seed%11 == 5 })
	least := quantile(t, s, 0.7)
	filter := picky{loudest: least}
	for name, p := range map[string]sampling.Policy{
		"all":       {N: 20, Seed: 3},
		"max tries": {N: 20, Seed: 3, MaxTries: 2},
		"best":      {N: 20, Seed: 3, MaxTries: 2, KeepBest: true},
		"patience":  {N: 200, Seed: 3, Patience: 4, Least: 10},
		"total":     {N: 200, Seed: 3, MaxTotal: 37},
	} {
		p.AtOnce = 1
		want, tally := accept(t, s, filter, p)
		for _, atOnce := range []int{0, 2, 7, 100} {
			p.AtOnce = atOnce
			got, again := accept(t, s, filter, p)
			if !slices.Equal(got, want) || fmt.Sprint(again) != fmt.Sprint(tally) {
				t.Errorf("%s: %d at once gives\n%+v %+v, one at once\n%+v %+v", name, atOnce, got, again, want, tally)
			}
		}
		rejected := 0
		for n := range maps.Values(tally.Rejected) {
			rejected += n
		}
		if tally.Passed+rejected != tally.Tried || tally.Kept()+tally.Failed != len(want) || tally.Rate() != float64(tally.Passed)/float64(tally.Tried) {
			t.Errorf("%s: %+v and %d clips", name, tally, len(want))
		}
		last := uint64(0)
		for i, f := range want {
			if f.kept && !f.ok && !p.KeepBest || i > 0 && f.seed <= last || p.MaxTries > 0 && f.tries > p.MaxTries {
				t.Errorf("%s: clip %d: %+v", name, i, f)
			}
			last = f.seed
		}
	}
}

func TestAcceptPolicies(t *testing.T) {
	s := ridged(t, nil)
	never := picky{loudest: 2}
	if got, tally := accept(t, s, never, sampling.Policy{N: 3, MaxTries: 4}); tally.Failed != 3 || tally.Tried != 12 || tally.Kept() != 0 || len(got) != 3 || got[0].kept {
		t.Errorf("nothing passes: %+v %+v", got, tally)
	}
	got, tally := accept(t, s, never, sampling.Policy{N: 3, MaxTries: 4, KeepBest: true})
	if tally.Best != 3 || tally.Failed != 0 || tally.Passed != 0 || len(got) != 3 || !got[0].kept || got[0].ok {
		t.Errorf("the best are kept: %+v %+v", got, tally)
	}
	if _, tally := accept(t, s, never, sampling.Policy{N: 3, Patience: 5, Least: 17}); tally.Tried != 17 {
		t.Errorf("given up after %d tries, want 17", tally.Tried)
	}
	if _, tally := accept(t, s, picky{}, sampling.Policy{N: 30, Patience: 1, Least: 1}); tally.Passed != 30 || tally.Tried != 30 {
		t.Errorf("everything passes: %+v", tally)
	}
	if got, tally := accept(t, s, never, sampling.Policy{}); len(got) != 0 || tally.Tried != 0 || tally.Rate() != 0 {
		t.Errorf("no clips: %+v %+v", got, tally)
	}
	silent := ridged(t, func(uint64) bool { return true })
	if r := (sampling.Rejections{"unsure": 2, "copy": 13}); r.String() != "13 copy, 2 unsure" || sampling.Rejections(nil).String() != "none" {
		t.Errorf("%q", r)
	}
	if got, tally := accept(t, silent, never, sampling.Policy{N: 2, MaxTries: 3, KeepBest: true}); tally.Failed != 2 || tally.Best != 0 || tally.Rejected["silent"] != 6 || got[0].kept {
		t.Errorf("nothing but silence: %+v %+v", got, tally)
	}
}

// TestAcceptBatches checks that the filter gets batches, and hardly more clips than are tried.
func TestAcceptBatches(t *testing.T) {
	s, checked := ridged(t, nil), 0
	_, tally := accept(t, s, picky{clips: &checked}, sampling.Policy{N: 50})
	if checked < tally.Tried || checked > tally.Tried+sampling.BatchSize {
		t.Errorf("%d clips were checked for %d tries", checked, tally.Tried)
	}
}

// broken is a filter that fails.
type broken struct{ err error }

func (b broken) CheckFor(context.Context, []audio.Clip, []eval.Condition) ([]eval.FilterResult, error) {
	return nil, b.err
}

func TestAcceptErrors(t *testing.T) {
	s, want := ridged(t, nil), errors.New("broken")
	if _, err := s.Accept(t.Context(), high(), broken{want}, sampling.Policy{N: 1}, nil); !errors.Is(err, want) {
		t.Errorf("a filter that fails: error %v", err)
	}
	tally, err := s.Accept(t.Context(), high(), picky{}, sampling.Policy{N: 5}, func(sampling.Attempt) error { return want })
	if !errors.Is(err, want) || tally.Tried != 1 {
		t.Errorf("a caller that fails: error %v after %d tries", err, tally.Tried)
	}
	if _, err := s.Accept(t.Context(), sampling.Labels([]string{"middle"}, 0)[0], picky{}, sampling.Policy{N: 1}, nil); err == nil {
		t.Error("an unknown label: no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Accept(ctx, high(), picky{loudest: 2}, sampling.Policy{N: 1}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
	if tally, err := s.Accept(t.Context(), high(), picky{}, sampling.Policy{N: 2}, nil); err != nil || tally.Passed != 2 {
		t.Errorf("without a callback: %+v, error %v", tally, err)
	}
}
