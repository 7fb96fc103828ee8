package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/spf13/cobra"

	"wavemill/internal/usage"
	"wavemill/operators/files"
	"wavemill/pipeline"
)

// requestFlags are the flags of `wavemill request`.
type requestFlags struct {
	busFlags
	files.RequestOptions
	asJSON bool
}

func newRequest(a *app) *cobra.Command {
	var r requestFlags
	cmd := &cobra.Command{
		Use:   "request --label LABEL --out DIR",
		Short: "Ask a running pipeline for clips",
		Long: `Request asks the generate operator of a running pipeline for clips, as any NATS client
can, and saves the answers: <label>_<seed>.wav, with everything in the file that
"wavemill regenerate" needs. Clip i has the seed --seed + i. The same model, label, seed
and temperature give the same bytes.`,
		Example: `  wavemill request --label three --out clips
  wavemill request --label three --n 10 --seed 7 --out clips --nats nats://host:4222 --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("seed") {
				r.Seed = uint64(rand.Uint32()) // Any seed: the clip's name and file have it.
			}
			return a.request(cmd.Context(), r)
		},
	}
	f := cmd.Flags()
	r.busFlags.add(f)
	f.StringVar(&r.Label, "label", "", "label of the clips (required)")
	f.StringVar(&r.Dir, "out", "", "folder for the clips; it is created if necessary (required)")
	f.IntVar(&r.N, "n", 1, "number of clips")
	f.Uint64Var(&r.Seed, "seed", 0, "seed of the first clip (default: chosen, and printed)")
	f.Var(usage.NewOptional(&r.Temperature, 0), "temperature", "scale of the noise, 0 to 10 (default: the model's own)")
	f.IntVar(&r.Steps, "steps", 0, "of a flow: steps from noise to a clip, 1, 2, 4, 8 or 16 (default: the model's own)")
	f.StringVar(&r.Format, "format", "wav", "sample format: wav (16 bit), wav24, wav32f")
	f.DurationVar(&r.Wait, "wait", 0, "how long to wait for an operator that is not there, or has no model yet (default: not at all)")
	f.DurationVar(&r.Timeout, "timeout", 2*time.Minute, "how long one clip may take")
	f.BoolVar(&r.asJSON, "json", false, "print one line of JSON for each clip")
	return cmd
}

func (a *app) request(ctx context.Context, r requestFlags) error {
	switch {
	case r.Label == "":
		return usagef("--label is missing: what the clips are of")
	case r.Dir == "":
		return usagef("--out is missing: the folder for the clips")
	case r.N < 1:
		return usagef("--n %d: ask for 1 clip or more", r.N)
	case r.Timeout <= 0 || r.Wait < 0:
		return usagef("--timeout must be positive, and --wait not negative")
	}
	return a.onBus(ctx, &r.busFlags, func(ctx context.Context, bus *pipeline.Bus) error {
		r.Subject = bus.Spec().Name + ".generate"
		task := a.console.Start("request", int64(r.N), "clips")
		defer task.Done()
		return files.Request(ctx, bus.Conn(), r.RequestOptions, func(c files.Clip) error {
			task.Add(1)
			return a.printResult(r.asJSON, c)
		})
	})
}
