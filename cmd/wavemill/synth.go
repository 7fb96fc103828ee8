package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"wavemill/audio/synth"
)

// synthOptions are the flags of `wavemill synth`.
type synthOptions struct {
	out    string
	n      int
	seed   uint64
	rate   int
	asJSON bool
}

func (o synthOptions) set() synth.Set { return synth.Set{PerClass: o.n, Seed: o.seed, Rate: o.rate} }

func newSynth(a *app) *cobra.Command {
	var o synthOptions
	cmd := &cobra.Command{
		Use:   "synth --out DIR",
		Short: "Write synthetic recordings of six classes, as the demo uses them",
		Long: `Synth writes recordings of six classes of synthetic sound, a folder for each class:
bells, chirps, hi-hats, kicks, plucked strings and sung vowels. Every recording
differs from the next in pitch, decay, timbre, level and onset. The same --seed, --n
and --rate write the same bytes.`,
		Example: `  wavemill synth --out recordings
  wavemill synth --out recordings --n 250 --seed 7 --rate 44100`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.synth(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.out, "out", "", "folder for the recordings; it must be new or empty (required)")
	f.IntVar(&o.n, "n", synthClips, "recordings of each class")
	f.Uint64Var(&o.seed, "seed", 1, "seed of everything random")
	f.IntVar(&o.rate, "rate", synth.DefaultRate, "sample rate in Hz")
	f.BoolVar(&o.asJSON, "json", false, "print the result as one line of JSON")
	return cmd
}

func (a *app) synth(ctx context.Context, o synthOptions) error {
	if o.n < 1 {
		return usagef("--n must be at least 1")
	}
	if _, err := synth.Clip(synth.Classes()[0], 0, o.rate); err != nil {
		return usagef("--rate: %w", err)
	}
	if old, err := os.ReadDir(o.out); err == nil && len(old) > 0 {
		return fmt.Errorf("%s is not empty; name a new folder", o.out)
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("--out: %w", err)
	}
	if err := a.synthesise(ctx, o); err != nil {
		return err
	}
	return a.printResult(o.asJSON, o.set().Summary(o.out))
}

// synthesise writes a set of recordings with a progress bar.
func (a *app) synthesise(ctx context.Context, o synthOptions) error {
	task := a.console.Start("synthesise", int64(o.set().Len()), "recordings")
	defer task.Done()
	return o.set().Write(ctx, o.out, func() { task.Add(1) })
}
