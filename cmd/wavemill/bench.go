package main

import (
	"context"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"wavemill/internal/usage"
	"wavemill/models/benchmark"
	"wavemill/models/sampling"
)

// newBench groups the benchmarks.
func newBench(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure speed and quality: the figures of docs/benchmarks.md and docs/quality.md",
		Args:  cobra.ArbitraryArgs,
		RunE:  usage.GroupOnly,
	}
	cmd.AddCommand(newBenchTrain(a), newBenchAudio(a), newBenchGenerate(a), newBenchQuality(a), newBenchBus(a))
	return cmd
}

// benchGenerate holds the flags of `bench generate`.
type benchGenerate struct {
	benchmark.GenerationOptions
	models []string
	asJSON bool
}

func newBenchGenerate(a *app) *cobra.Command {
	var b benchGenerate
	cmd := &cobra.Command{
		Use:   "generate --model MODEL",
		Short: "Time generation: from a label to a WAV, one clip at a time and many at once",
		Long: `Times the way from a label to the bytes of a WAV file on a loaded model. First one
clip after the other, as a request on the bus is served: in all, and apart the
network, the phase reconstruction with trimming and levelling, and the encoding of
the file with its provenance. Then many at once, as "wavemill generate --n" works.
Nothing is written; the first clips, which fill caches, do not count.`,
		Example: `  wavemill bench generate --model model.safetensors
  wavemill bench generate --model vae.safetensors --model gan.safetensors --clips 1000 --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.benchGenerate(cmd.Context(), b) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&b.models, "model", nil, "checkpoint, such as model.safetensors; may be repeated (required)")
	f.StringSliceVar(&b.Labels, "label", []string{sampling.AllLabels}, "what to generate, in turn: labels of the model, or all")
	wordDefault(f, "label", sampling.AllLabels)
	f.IntVar(&b.Clips, "clips", 500, "clips to time, one after the other and then at once")
	f.Uint64Var(&b.Seed, "seed", 1, "seed of the first clip")
	f.IntVar(&b.Workers, "workers", runtime.GOMAXPROCS(0), "clips that are generated at the same time in the second part")
	f.BoolVar(&b.asJSON, "json", false, "print one line of JSON for each model")
	return cmd
}

func (a *app) benchGenerate(ctx context.Context, b benchGenerate) error {
	if err := b.Validate(); err != nil {
		return usagef("--%w", err)
	}
	for _, path := range b.models {
		g, err := a.timeGeneration(ctx, b.GenerationOptions, path)
		if err != nil {
			return err
		}
		if err := a.printResult(b.asJSON, g); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) timeGeneration(ctx context.Context, o benchmark.GenerationOptions, path string) (g benchmark.Generation, err error) {
	_, sampler, err := openSampler(path)
	if err != nil {
		return g, err
	}
	if o.Labels, err = chosenLabels(o.Labels, sampler.Labels); err != nil {
		return g, err
	}
	task := a.console.Start("time "+path, int64(o.Total()), "clips")
	o.Model, o.OnProgress = path, func() { task.Add(1) }
	g, err = benchmark.TimeGeneration(ctx, sampler, o)
	task.End(err)
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return g, err
}
