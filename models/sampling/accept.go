package sampling

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"wavemill/audio"
	"wavemill/models/eval"
)

// A Filter decides which clips are kept. [*eval.Filter] is one. What it says of a clip must not depend on the clips
// beside it.
type Filter interface {
	// CheckFor checks clips against the conditions with the same index.
	CheckFor(ctx context.Context, clips []audio.Clip, conditions []eval.Condition) ([]eval.FilterResult, error)
}

// A Policy says how many clips [Sampler.Accept] has to find, and when it gives up. The zero value of a limit is none.
type Policy struct {
	N    int    // clips to find
	Seed uint64 // of the first try; try i has Seed + i

	// MaxTries is how many tries each clip has. Where none of them passes, the clip counts as failed and the next one
	// begins.
	MaxTries int
	// KeepBest keeps the best try of a failed clip (see [eval.FilterResult.Better]), unless all were silent.
	KeepBest bool
	// MaxTotal is how many tries there are in all.
	MaxTotal int
	// Patience ends the search where fewer than one try in Patience passes, but not before Least tries.
	Patience, Least int

	// AtOnce is how many tries are generated together, at most; 0 means 32. The result does not depend on it.
	AtOnce int
}

// leastAtOnce tries are generated together even where fewer clips are missing: a batch uses all processors, and some
// tries will be rejected.
const leastAtOnce = 4

// An Attempt is a clip that was found, or the best try of a clip that failed.
type Attempt struct {
	Clip
	eval.FilterResult
	Kept     bool       // passed, or the best try under KeepBest
	Tries    int        // for this clip, this one included
	Rejected Rejections // the tries of this clip that did not pass
}

// Rejections count tries that did not pass by their reason, which is the first word of [eval.FilterResult.Reason]:
// "silent", "heard" (as another label), "unsure", "copy" or "unreal".
type Rejections map[string]int

// String lists the counts, sorted by reason, or returns "none".
func (r Rejections) String() string {
	parts := make([]string, 0, len(r))
	for _, reason := range slices.Sorted(maps.Keys(r)) {
		parts = append(parts, fmt.Sprintf("%d %s", r[reason], reason))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// A Tally counts the tries of a search.
type Tally struct {
	Tried    int        // in all
	Passed   int        // clips found
	Best     int        // failed clips whose best try was kept
	Failed   int        // failed clips without one
	Rejected Rejections // tries that did not pass
}

// Kept is the number of clips that were kept.
func (t Tally) Kept() int { return t.Passed + t.Best }

// Rate is the share of tries that passed; 0 where nothing was tried.
func (t Tally) Rate() float64 {
	if t.Tried == 0 {
		return 0
	}
	return float64(t.Passed) / float64(t.Tried)
}

// Accept generates clips of a kind until n pass the filter: it tries the seeds in order, so that clip i is the i-th
// that passes, whatever the number of processors and of tries at once. The filter gets the audio as the 16-bit WAV
// file has it ([Clip.Decoded]); a silent result is a silent clip for it. each, when not nil, is called from Accept's
// goroutine with every clip found and every failed one; an error of it ends the search.
func (s *Sampler) Accept(ctx context.Context, k Kind, f Filter, p Policy, each func(Attempt) error) (Tally, error) {
	search := search{
		sampler: s.WithSilence(), kind: k, filter: f, policy: p, each: each,
		tally: Tally{Rejected: Rejections{}}, rejected: Rejections{},
	}
	for search.goesOn() {
		tries, err := search.tryNext(ctx)
		if err != nil {
			return search.tally, err
		}
		for _, t := range tries {
			if !search.goesOn() {
				break // Further tries are as if they had not been made.
			}
			if err := search.take(t); err != nil {
				return search.tally, err
			}
		}
	}
	return search.tally, nil
}

// A search is the state of Accept.
type search struct {
	sampler *Sampler
	kind    Kind
	filter  Filter
	policy  Policy
	each    func(Attempt) error

	tally Tally
	// Of the current clip:
	tries    int
	rejected Rejections
	best     *Attempt
}

// done is the number of clips found or failed.
func (s *search) done() int { return s.tally.Kept() + s.tally.Failed }

// goesOn reports whether another try is to be made.
func (s *search) goesOn() bool {
	t, p := s.tally, s.policy
	switch {
	case s.done() >= p.N, p.MaxTotal > 0 && t.Tried >= p.MaxTotal:
		return false
	case p.Patience > 0 && t.Tried >= max(p.Least, p.Patience*(t.Passed+1)):
		return false
	}
	return true
}

// tryNext generates and checks the clips of the next seeds.
func (s *search) tryNext(ctx context.Context) ([]Attempt, error) {
	most := s.policy.AtOnce
	if most <= 0 {
		most = BatchSize
	}
	n := min(most, max(leastAtOnce, s.policy.N-s.done()))
	ps := BySeed([]Kind{s.kind}, s.policy.Seed+uint64(s.tally.Tried), n)
	clips, err := s.sampler.Series(ctx, ps, nil)
	if err != nil {
		return nil, err
	}
	results, err := check(ctx, s.filter, clips)
	if err != nil {
		return nil, err
	}
	tries := make([]Attempt, n)
	for i := range tries {
		tries[i] = Attempt{Clip: clips[i], FilterResult: results[i]}
	}
	return tries, nil
}

// take counts a try, and settles the current clip where the try passes or is its last.
func (s *search) take(a Attempt) error {
	s.tries++
	s.tally.Tried++
	if a.OK {
		s.best = &a
		s.tally.Passed++
		return s.settle(true)
	}
	reason, _, _ := strings.Cut(a.Reason, " ")
	s.rejected[reason]++
	s.tally.Rejected[reason]++
	if s.best == nil || a.Better(s.best.FilterResult) {
		s.best = &a
	}
	if s.policy.MaxTries <= 0 || s.tries < s.policy.MaxTries {
		return nil
	}
	keep := s.policy.KeepBest && s.best.Reason != "silent"
	if keep {
		s.tally.Best++
	} else {
		s.tally.Failed++
	}
	return s.settle(keep)
}

// settle reports the current clip and begins the next.
func (s *search) settle(kept bool) error {
	a := *s.best
	a.Kept, a.Tries, a.Rejected = kept, s.tries, s.rejected
	s.best, s.tries, s.rejected = nil, 0, Rejections{}
	if s.each == nil {
		return nil
	}
	return s.each(a)
}
