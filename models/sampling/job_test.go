package sampling_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"wavemill/models/sampling"
)

// written is what a job stores and emits.
type written struct {
	files []string
	facts []sampling.ClipFacts
}

// job returns a job whose files go to w.
func (w *written) job(p sampling.Plan) sampling.Job {
	return sampling.Job{
		Plan: p, N: 2, Seed: 5,
		Store: func(name string, _ []byte) (string, error) {
			w.files = append(w.files, name)
			return "out/" + name, nil
		},
		Emit: func(f sampling.ClipFacts) error {
			w.facts = append(w.facts, f)
			return nil
		},
	}
}

// TestJob generates new clips of two labels, one after the other.
func TestJob(t *testing.T) {
	var w written
	if err := w.job(sampling.Plan{Labels: []string{"all"}, Temperature: new(0.5)}).Run(t.Context(), ridged(t, nil)); err != nil {
		t.Fatal(err)
	}
	if want := []string{"high_5.wav", "high_6.wav"}; len(w.files) != 4 || !slices.Equal(w.files[:2], want) {
		t.Errorf("files %q, want 4 beginning with %q", w.files, want)
	}
	for i, f := range w.facts {
		if f.File != "out/"+w.files[i] || f.Seed != uint64(5+i%2) || f.Temperature != 0.5 || f.Confidence != nil {
			t.Errorf("clip %d: %+v", i, f)
		}
	}
}

// TestLargestSeed generates the clips of the last seeds that there are.
func TestLargestSeed(t *testing.T) {
	var w written
	j := w.job(sampling.Plan{Labels: []string{"high"}})
	j.Seed = math.MaxUint64 - 1
	if err := j.Run(t.Context(), ridged(t, nil)); err != nil || !slices.Equal(w.files, []string{"high_18446744073709551614.wav", "high_18446744073709551615.wav"}) {
		t.Errorf("files %q, %v", w.files, err)
	}
	j.UntilGood, j.Seed, j.MaxTries = true, 1<<62, math.MaxInt
	if err := j.Validate(); err != nil {
		t.Errorf("tries without a limit: %v", err)
	}
}

// TestJobRefuses checks that nothing is stored by a job that cannot be done.
func TestJobRefuses(t *testing.T) {
	high := sampling.Plan{Labels: []string{"high"}}
	full := errors.New("disk full")
	quiet := func(uint64) bool { return true }
	for want, c := range map[string]struct {
		plan   sampling.Plan
		change func(*sampling.Job)
		quiet  func(uint64) bool
	}{
		"label is missing":        {sampling.Plan{}, nil, nil},
		"label names 1 labels":    {sampling.Plan{Labels: []string{"high"}, Mix: new(0.5)}, nil, nil},
		"n 0":                     {high, func(j *sampling.Job) { j.N = 0 }, nil},
		"n 2000000000: ":          {high, func(j *sampling.Job) { j.N = 2_000_000_000 }, nil},
		"ask for 500000 or fewer": {sampling.Plan{Labels: []string{"all"}}, func(j *sampling.Job) { j.N = sampling.MaxClips }, nil},
		"ask for 333333 or fewer": {sampling.Plan{Labels: []string{"all"}, Interpolate: new(3)}, func(j *sampling.Job) { j.N = sampling.MaxClips }, nil},
		"with n 2, the largest is 18446744073709551614": {high, func(j *sampling.Job) { j.Seed = math.MaxUint64 }, nil},
		"the largest is 18446744073709551596":           {high, func(j *sampling.Job) { j.Seed, j.UntilGood, j.MaxTries = math.MaxUint64-18, true, 10 }, nil},
		"max-tries 0":                                   {high, func(j *sampling.Job) { j.UntilGood = true }, nil},
		"until-good and interpolate":                    {sampling.Plan{Labels: []string{"all"}, Interpolate: new(3)}, func(j *sampling.Job) { j.UntilGood, j.MaxTries = true, 1 }, nil},
		"like absent.wav: open absent.wav":              {sampling.Plan{Likes: []string{"absent.wav"}}, nil, nil},
		"like /dev/zero: /dev/zero: is a device":        {sampling.Plan{Likes: []string{"/dev/zero"}}, nil, nil},
		"the model generated silence":                   {high, nil, quiet},
		full.Error():                                    {high, func(j *sampling.Job) { j.Store = func(string, []byte) (string, error) { return "", full } }, nil},
	} {
		var w written
		j := w.job(c.plan)
		if c.change != nil {
			c.change(&j)
		}
		if err := j.Run(t.Context(), ridged(t, c.quiet)); err == nil || !strings.Contains(err.Error(), want) || len(w.facts) > 0 {
			t.Errorf("%v, %d clips, want %q", err, len(w.facts), want)
		}
	}
}
