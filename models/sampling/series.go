package sampling

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"wavemill/models"
)

// BatchSize is how many clips of a series the network generates at a time. Larger batches are hardly faster, and every
// clip of a batch is held as a spectrogram and as samples until the batch is complete.
const BatchSize = 32

// longAtOnce is BatchSize where clips have a length of their own: each may take hundreds of megabytes.
const longAtOnce = 4

// Series returns the clips that the provenances describe, in their order: the same clips as [Sampler.Generate], but
// the network runs on batches and phases are reconstructed on all processors. onProgress, when not nil, is called from
// Series' goroutine with the number of clips that are complete. The first error ends the series.
func (s *Sampler) Series(ctx context.Context, ps []Provenance, onProgress func(done int)) ([]Clip, error) {
	clips := make([]Clip, len(ps))
	err := s.Stream(ctx, ps, func(i int, c Clip) error {
		clips[i] = c
		if onProgress != nil {
			onProgress(i + 1)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return clips, nil
}

// Stream is Series for more clips than memory holds: it calls each with every clip, in order, from Stream's goroutine,
// and keeps no more than one batch. An error of each ends it.
func (s *Sampler) Stream(ctx context.Context, ps []Provenance, each func(i int, c Clip) error) error {
	size := BatchSize
	if slices.ContainsFunc(ps, func(p Provenance) bool { return p.Duration > 0 }) {
		size = longAtOnce
	}
	return s.stream(ctx, ps, size, each)
}

// stream is Stream with the size of batches.
func (s *Sampler) stream(ctx context.Context, ps []Provenance, size int, each func(i int, c Clip) error) error {
	for lo := 0; lo < len(ps); lo += size {
		part := ps[lo:min(lo+size, len(ps))]
		batch, err := s.Sample(ctx, part...)
		if err != nil {
			return err
		}
		clips, err := s.vocodeAll(ctx, batch, part)
		if err != nil {
			return err
		}
		for i, c := range clips {
			if err := each(lo+i, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// vocodeAll reconstructs the phases of a batch on all processors.
func (s *Sampler) vocodeAll(ctx context.Context, batch models.Batch, ps []Provenance) ([]Clip, error) {
	clips := make([]Clip, len(ps))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, p := range ps {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			var err error
			clips[i], err = s.Vocode(ctx, batch, i, p)
			return err
		})
	}
	return clips, group.Wait()
}

// A part is the clips of a batch that one run of the network can generate: all plain, or all from changed latents, with
// one temperature and number of steps.
type part struct {
	indices []int // in the batch
	ps      []Provenance
}

// Sample runs the network for all ps and returns their spectrograms, [len(ps), T, F], in order. The batch belongs to the
// caller.
func (s *Sampler) Sample(ctx context.Context, ps ...Provenance) (models.Batch, error) {
	parts, err := s.parts(ps)
	if err != nil {
		return models.Batch{}, err
	}
	frames, bins := s.frontEnd.Shape()
	out := models.Batch{B: len(ps), T: frames, F: bins, Data: make([]float32, len(ps)*frames*bins), Labels: make([]int, len(ps))}
	for _, part := range parts {
		run := s.plain
		if !part.ps[0].isPlain() {
			run = s.blend
		}
		b, err := run(ctx, part.ps)
		if err != nil {
			return models.Batch{}, fmt.Errorf("generate %s: %w", part, err)
		}
		if b.B != len(part.ps) || b.T != frames || b.F != bins {
			return models.Batch{}, fmt.Errorf("generate %s: the network returned [%d, %d, %d], not [%d, %d, %d]", part, b.B, b.T, b.F, len(part.ps), frames, bins)
		}
		for i, at := range part.indices {
			copy(out.Clip(at), b.Clip(i))
			out.Labels[at] = b.Labels[i]
		}
	}
	return out, nil
}

// String names the clips for errors.
func (p part) String() string {
	if len(p.ps) == 1 {
		return fmt.Sprintf("%q with seed %d", p.ps[0].Name(), p.ps[0].Seed)
	}
	return fmt.Sprintf("%d clips from %q with seed %d on", len(p.ps), p.ps[0].Name(), p.ps[0].Seed)
}

// parts checks ps, reduces them to their simplest form and divides them into parts.
func (s *Sampler) parts(ps []Provenance) ([]part, error) {
	type key struct {
		plain       bool
		temperature float64
		steps       int
	}
	var parts []part
	at := map[key]int{}
	for i, p := range ps {
		if p.Model != "" && p.Model != s.Digest {
			return nil, fmt.Errorf("the clip is of model %.12s, this is %.12s", p.Model, s.Digest)
		}
		if err := p.Validate(); err != nil {
			return nil, err
		}
		p = p.reduced()
		if _, err := s.Label(p.Label); err != nil {
			return nil, err
		}
		k := key{p.isPlain(), p.Temperature, p.Steps}
		j, ok := at[k]
		if !ok {
			j = len(parts)
			at[k], parts = j, append(parts, part{})
		}
		parts[j].indices, parts[j].ps = append(parts[j].indices, i), append(parts[j].ps, p)
	}
	return parts, nil
}

// isPlain reports whether p, in its simplest form, is a new clip of one label.
func (p Provenance) isPlain() bool { return p.Like == nil && p.Mix == nil }

// plain generates new clips of a label each, with one temperature and number of steps.
func (s *Sampler) plain(ctx context.Context, ps []Provenance) (models.Batch, error) {
	labels, seeds := make([]int, len(ps)), make([]uint64, len(ps))
	for i, p := range ps {
		var err error
		if labels[i], err = s.Label(p.Label); err != nil {
			return models.Batch{}, err
		}
		seeds[i] = p.Seed
	}
	g, err := s.inSteps(ps[0].Steps)
	if err != nil {
		return models.Batch{}, err
	}
	return g.Generate(ctx, models.Request{Labels: labels, Seeds: seeds, Temperature: ps[0].Temperature})
}
