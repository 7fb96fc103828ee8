package sampling

import (
	"context"

	"wavemill/audio"
	"wavemill/models/eval"
)

// check applies a filter to clips, as their 16-bit WAV files have them ([Clip.Decoded]), each against its own
// [Provenance.Condition].
func check(ctx context.Context, f Filter, clips []Clip) ([]eval.FilterResult, error) {
	decoded, conditions := make([]audio.Clip, len(clips)), make([]eval.Condition, len(clips))
	for i, c := range clips {
		var err error
		if decoded[i], err = c.Decoded(); err != nil {
			return nil, err
		}
		conditions[i] = c.Condition()
	}
	return f.CheckFor(ctx, decoded, conditions)
}

// StreamChecked is [Sampler.Stream] with the result of a filter for each clip. No clip is rejected. Clips are checked in
// batches of [BatchSize]; each is called in order. Without a filter (nil), results are nil.
func (s *Sampler) StreamChecked(ctx context.Context, ps []Provenance, f Filter, each func(i int, c Clip, r *eval.FilterResult) error) error {
	batch := make([]Clip, 0, BatchSize)
	return s.Stream(ctx, ps, func(i int, c Clip) error {
		if f == nil {
			return each(i, c, nil)
		}
		if batch = append(batch, c); len(batch) < BatchSize && i < len(ps)-1 {
			return nil
		}
		results, err := check(ctx, f, batch)
		if err != nil {
			return err
		}
		first := i + 1 - len(batch)
		for j, clip := range batch {
			if err := each(first+j, clip, &results[j]); err != nil {
				return err
			}
		}
		batch = batch[:0]
		return nil
	})
}
