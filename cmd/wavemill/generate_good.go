package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"wavemill/audio"
	"wavemill/models/eval"
	"wavemill/operators/generate"
)

// goodShare is how many seeds are tried at a time at most, and goodLeast at least: a try costs little, waiting for one
// processor while another rests costs as much.
const (
	goodShare = 32
	goodLeast = 4
)

// A try is a clip and what the judge says of it.
type try struct {
	clip generate.Clip
	eval.FilterResult
}

// A tally counts what became of the tries of a kind.
type tally struct {
	name           string
	tried, kept    int
	failed, bested int // clips for which no try passed: not written, and written all the same
	refused        map[string]int
}

// untilGood makes n clips of every kind that pass the judge.
func (g *generation) untilGood(ctx context.Context) error {
	failed, wanted := 0, 0
	for _, k := range g.kinds {
		t, err := g.fill(ctx, k)
		if err != nil {
			return err
		}
		failed += t.failed
		wanted += g.o.n
		line := fmt.Sprintf("%s: %d of %d tries passed (%.0f %%); refused: %s", t.name, t.kept, t.tried, 100*float64(t.kept)/float64(t.tried), reasons(t.refused))
		if t.bested > 0 {
			line += fmt.Sprintf("; %d clips did not pass and are kept as the best of their tries", t.bested)
		}
		g.note("%s", line)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d clips are not there: none of %d tries passed for them; raise --max-tries, lower what is asked for (--confidence, --realness, --newness), train the model longer, or take the best with --keep-best",
			failed, wanted, g.o.maxTries)
	}
	return nil
}

// fill makes the clips of one kind. Seeds are tried in order, so that what is kept does not depend on how many are
// tried at once: clip i is the i-th that passes.
func (g *generation) fill(ctx context.Context, k kind) (*tally, error) {
	t := &tally{name: k.name, refused: map[string]int{}}
	task := g.console.Start("generate "+k.name, int64(g.o.n), "clips")
	defer task.Done()
	var best *try
	now := map[string]int{} // why tries for the current clip were refused
	tries, seed := 0, g.o.seed
	for done := 0; done < g.o.n; {
		made, err := g.tryAll(ctx, k, seed, min(goodShare, max(goodLeast, g.o.n-done)))
		if err != nil {
			return nil, err
		}
		seed += uint64(len(made))
		for i := 0; i < len(made) && done < g.o.n; i++ {
			m := made[i]
			tries++
			t.tried++
			if !m.OK {
				now[strings.Fields(m.Reason)[0]]++
				if best == nil || m.Better(best.FilterResult) {
					best = &m
				}
			}
			if !m.OK && tries < g.o.maxTries {
				continue
			}
			if m.OK {
				best = &m
			}
			if err := g.settle(k, t, *best, tries, now); err != nil {
				return nil, err
			}
			for reason, n := range now {
				t.refused[reason] += n
			}
			done++
			best, now, tries = nil, map[string]int{}, 0
			task.Set(int64(done))
		}
	}
	return t, nil
}

// settle keeps the clip that passed or, where none did, the best if that is wanted.
func (g *generation) settle(k kind, t *tally, best try, tries int, refused map[string]int) error {
	c := facts(best.clip.Provenance, g.maker.Digest)
	write := best.OK || g.o.keepBest && best.Reason != "silent"
	if write {
		var err error
		if c, err = g.write(k, best.clip); err != nil {
			return err
		}
	}
	c.judged(best.FilterResult)
	c.Tries, c.Refused = tries, refused
	switch {
	case best.OK:
		t.kept++
	case write:
		t.bested++
	default:
		t.failed++
		g.note("%s: none of %d tries passed (refused: %s); the best was seed %d: %s, confidence %.2f",
			k.name, tries, reasons(refused), best.clip.Seed, best.Reason, best.Confidence)
		if !g.o.asJSON {
			return nil
		}
	}
	return g.report(c)
}

// tryAll makes the clips of n seeds and has them judged.
func (g *generation) tryAll(ctx context.Context, k kind, seed uint64, n int) ([]try, error) {
	made := make([]try, n)
	sounds, wishes := make([]audio.Clip, n), make([]eval.Condition, n)
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range made {
		group.Go(func() error {
			clip, err := g.make(working, k, seed+uint64(i)) //nolint:gosec // An index.
			made[i].clip, sounds[i], wishes[i] = clip, clip.Audio, k.wish()
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	sifted, err := g.sieve.CheckFor(ctx, sounds, wishes)
	if err != nil {
		return nil, err
	}
	for i, s := range sifted {
		made[i].FilterResult = s
	}
	return made, nil
}
