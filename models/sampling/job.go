package sampling

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"

	"wavemill/audio/wav"
	"wavemill/models/eval"
)

// A Job generates the clips of a plan as 16-bit WAV files. Store and Emit are required.
type Job struct {
	Plan
	N    int    // clips of each kind, at least 1, and MaxClips of all kinds at most
	Seed uint64 // of the first clip of each kind

	// Filter, when not nil, checks the clips. Its classifier also finds labels of given clips that have none.
	Filter *eval.Filter
	// UntilGood keeps only clips that Filter accepts, and tries the next seeds for the others, MaxTries at most for each
	// clip. Without it, the filter's figures are reported and nothing is rejected.
	UntilGood bool
	MaxTries  int
	KeepBest  bool // see Policy

	// Store writes a file, named without folders, and returns its path for the facts.
	Store func(name string, data []byte) (path string, err error)
	// Emit gets the facts of each clip, in order: of those that are stored and of those that failed, which have no File.
	Emit func(ClipFacts) error
	// Progress, when not nil, begins to show the generation of a number of clips.
	Progress func(name string, clips int64) Task
	// Note, when not nil, gets messages for the user.
	Note func(format string, args ...any)
}

// A Task is a part of a job that is shown. Where it has a method End(error), that is called instead of Done.
type Task interface {
	Add(n int64)
	Done()
}

// ErrMissing is returned, wrapped, where clips are missing because no try for them passed the filter.
var ErrMissing = errors.New("clips are missing")

// Validate reports what is wrong with the job for every model, beginning with the name of the field in lower case.
func (j Job) Validate() error {
	if err := j.Plan.Validate(); err != nil {
		return err
	}
	switch {
	case j.N < 1:
		return fmt.Errorf("n %d: ask for one clip or more", j.N)
	case j.N > MaxClips:
		return tooMany(j.N, 1)
	case j.Seed > j.lastSeed():
		return fmt.Errorf("seed %d: the seeds of these clips would begin again at 0; with n %d, the largest is %d", j.Seed, j.N, j.lastSeed())
	case j.UntilGood && j.MaxTries < 1:
		return fmt.Errorf("max-tries %d: try once or more", j.MaxTries)
	case j.UntilGood && j.Interpolate != nil:
		return errors.New("until-good and interpolate contradict each other: the clips of a series have one seed, and those in its middle may belong to neither label")
	}
	return nil
}

// MaxClips is the number of clips that one Job makes at most: it holds a record of about 150 bytes for each.
const MaxClips = 1_000_000

// lastSeed is the largest seed of the first clip with which the seeds of all clips and tries are different.
func (j Job) lastSeed() uint64 {
	further := uint64(j.N) - 1
	if j.UntilGood {
		// Each clip has MaxTries seeds. More tries than half of all seeds are as good as no limit.
		if high, low := bits.Mul64(uint64(j.N), uint64(max(j.MaxTries, 1))); high > 0 || low > 1<<63 {
			further = 1 << 63
		} else {
			further = low - 1
		}
	}
	return math.MaxUint64 - further
}

// tooMany is the error of a job for n clips of so many kinds.
func tooMany(n, kinds int) error {
	return fmt.Errorf("n %d: one run makes %d clips at most; ask for %d or fewer of each label or point, and for further ones with another seed", n, MaxClips, max(1, MaxClips/kinds))
}

// Select is [Plan.Select], and refuses more than MaxClips clips in all.
func (j Job) Select(known []string) ([]string, error) {
	labels, err := j.Plan.Select(known)
	if err != nil {
		return nil, err
	}
	kinds := max(1, len(labels))
	switch {
	case j.Interpolate != nil:
		kinds = *j.Interpolate
	case j.Mix != nil:
		kinds = 1
	case len(j.Likes) > 0:
		kinds = len(j.Likes)
	}
	if j.N > MaxClips/kinds {
		return nil, tooMany(j.N, kinds)
	}
	return labels, nil
}

// Run generates the clips. Given clips are read and every check is made before the first file is stored. The errors are
// those of [Job.Validate], [Job.Select], [Sampler.ReadReference], [ErrSilent], [ErrMissing], or come from Store and Emit.
func (j Job) Run(ctx context.Context, s *Sampler) error {
	if err := j.Validate(); err != nil {
		return err
	}
	labels, err := j.Select(s.Labels)
	if err != nil {
		return err
	}
	if j.Note == nil {
		j.Note = func(string, ...any) {}
	}
	likes, err := j.references(ctx, s, labels)
	if err != nil {
		return err
	}
	kinds, err := j.Kinds(labels, likes)
	if err != nil {
		return err
	}
	if j.UntilGood {
		return j.untilGood(ctx, s, kinds)
	}
	return j.all(ctx, s, kinds)
}

// references reads and encodes the given clips.
func (j Job) references(ctx context.Context, s *Sampler, labels []string) ([]Reference, error) {
	var classifier *eval.Classifier
	if j.Filter != nil {
		classifier = j.Filter.Classifier()
	}
	out := make([]Reference, len(j.Likes))
	for i, path := range j.Likes {
		label := ""
		if len(labels) > 0 {
			label = labels[min(i, len(labels)-1)]
		}
		var err error
		if out[i], err = s.ReadReference(ctx, path, label, classifier, j.Note); err != nil {
			return nil, fmt.Errorf("like %s: %w", path, err)
		}
	}
	return out, nil
}

// all generates N clips of every kind.
func (j Job) all(ctx context.Context, s *Sampler, kinds []Kind) (err error) {
	ps, kindOf := j.Series(kinds, j.Seed, j.N)
	task := j.start("generate", len(ps))
	defer func() { end(task, err) }()
	var filter Filter
	if j.Filter != nil {
		filter = j.Filter
	}
	return s.StreamChecked(ctx, ps, filter, func(i int, c Clip, r *eval.FilterResult) error {
		facts := c.Facts()
		if r != nil {
			facts.Add(*r)
		}
		if err := j.store(kindOf(i), c, facts); err != nil {
			return err
		}
		task.Add(1)
		return nil
	})
}

// untilGood generates N clips of every kind that pass the filter.
func (j Job) untilGood(ctx context.Context, s *Sampler, kinds []Kind) error {
	failed := 0
	policy := Policy{N: j.N, Seed: j.Seed, MaxTries: j.MaxTries, KeepBest: j.KeepBest}
	for _, k := range kinds {
		task := j.start("generate "+k.Stem, j.N)
		t, err := s.Accept(ctx, k, j.Filter, policy, func(a Attempt) error {
			if a.Kept {
				if err := j.store(k, a.Clip, a.Facts()); err != nil {
					return err
				}
				task.Add(1)
				return nil
			}
			task.Add(1)
			j.Note("%s: %v", k.Stem, a)
			return j.Emit(a.Facts())
		})
		end(task, err)
		if err != nil {
			return err
		}
		failed += t.Failed
		j.Note("%s: %v", k.Stem, t)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d %w: none of %d tries passed for them", failed, j.N*len(kinds), ErrMissing, j.MaxTries)
	}
	return nil
}

// store writes a clip to its file and emits its facts.
func (j Job) store(k Kind, c Clip, facts ClipFacts) error {
	data, err := c.WAV(wav.PCM16)
	if err != nil {
		return err
	}
	if facts.File, err = j.Store(k.FileName(c.Seed), data); err != nil {
		return err
	}
	return j.Emit(facts)
}

func (j Job) start(name string, clips int) Task {
	if j.Progress == nil {
		return noTask{}
	}
	return j.Progress(name, int64(clips))
}

// end ends a task. One with a method End(error) is told whether its work failed.
func end(t Task, err error) {
	if e, ok := t.(interface{ End(err error) }); ok {
		e.End(err)
		return
	}
	t.Done()
}

// noTask shows nothing.
type noTask struct{}

func (noTask) Add(int64) {}
func (noTask) Done()     {}
