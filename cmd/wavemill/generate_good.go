package main

import (
	"context"
	"fmt"

	"wavemill/models/sampling"
)

// untilGood generates n clips of every kind that pass the filter.
func (g *generation) untilGood(ctx context.Context) error {
	failed := 0
	for _, k := range g.kinds {
		t, err := g.accept(ctx, k)
		if err != nil {
			return err
		}
		failed += t.Failed
		line := fmt.Sprintf("%s: %d of %d tries passed (%.0f %%); refused: %s", k.Stem, t.Passed, t.Tried, 100*t.Rate(), t.Rejected)
		if t.Best > 0 {
			line += fmt.Sprintf("; %d clips did not pass and are kept as the best of their tries", t.Best)
		}
		g.note("%s", line)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d clips are missing: none of %d tries passed for them; raise --max-tries, lower the conditions (--confidence, --realness, --newness), train the model longer, or keep the best with --keep-best",
			failed, g.o.n*len(g.kinds), g.o.maxTries)
	}
	return nil
}

// accept generates the clips of one kind.
func (g *generation) accept(ctx context.Context, k sampling.Kind) (sampling.Tally, error) {
	task := g.console.Start("generate "+k.Stem, int64(g.o.n), "clips")
	defer task.Done()
	policy := sampling.Policy{N: g.o.n, Seed: g.o.seed, MaxTries: g.o.maxTries, KeepBest: g.o.keepBest}
	return g.sampler.Accept(ctx, k, g.filter, policy, func(a sampling.Attempt) error {
		task.Add(1)
		return g.settle(k, a)
	})
}

// settle writes a clip that is kept, and prints its line. A failed clip has a line in JSON alone.
func (g *generation) settle(k sampling.Kind, a sampling.Attempt) error {
	c := clipLine(a.Provenance)
	if a.Kept {
		var err error
		if c, err = g.write(k, a.Clip); err != nil {
			return err
		}
	}
	c.add(a.FilterResult)
	c.Tries, c.Refused = a.Tries, a.Rejected
	if !a.Kept {
		g.note("%s: none of %d tries passed (refused: %s); the best was seed %d: %s, confidence %.2f",
			k.Stem, a.Tries, a.Rejected, a.Seed, a.Reason, a.Confidence)
		if !g.o.asJSON {
			return nil
		}
	}
	return g.report(c)
}
