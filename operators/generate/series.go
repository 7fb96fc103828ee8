package generate

import (
	"cmp"
	"context"

	"golang.org/x/sync/errgroup"

	"wavemill/models"
	"wavemill/models/sampling"
)

// series generates and publishes many clips and returns their entries in order. The network runs on batches; phase
// reconstruction and publishing run for several clips at once. Each of them holds a slot while it works, so that
// requests for one clip are served in between.
func (o *operator) series(ctx context.Context, t task, ps []sampling.Provenance) ([]Listed, error) {
	listed := make([]Listed, len(ps))
	group, ctx := errgroup.WithContext(ctx)
	for lo := 0; lo < len(ps); lo += sampling.BatchSize {
		part := ps[lo:min(lo+sampling.BatchSize, len(ps))]
		batch, err := o.sample(ctx, t, part)
		if err != nil {
			return nil, cmp.Or(group.Wait(), err)
		}
		for i, p := range part {
			if err := o.slot(ctx); err != nil {
				return nil, cmp.Or(group.Wait(), err)
			}
			group.Go(func() error {
				defer func() { <-o.slots }()
				sent, err := guarded(o.log, func() (published, error) {
					clip, err := t.sampler.Vocode(ctx, batch, i, p)
					if err != nil {
						return published{}, err
					}
					return o.publish(ctx, t, clip)
				})
				listed[lo+i] = sent.listed
				return err
			})
		}
	}
	return listed, group.Wait()
}

// sample runs the network on a batch. It holds one slot meanwhile.
func (o *operator) sample(ctx context.Context, t task, ps []sampling.Provenance) (models.Batch, error) {
	if err := o.slot(ctx); err != nil {
		return models.Batch{}, err
	}
	defer func() { <-o.slots }()
	return t.sampler.Sample(ctx, ps...)
}

// slot waits for a free slot and takes it.
func (o *operator) slot(ctx context.Context) error {
	select {
	case o.slots <- token{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
