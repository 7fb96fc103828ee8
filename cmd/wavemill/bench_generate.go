package main

import (
	"context"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"wavemill/models"
	"wavemill/models/benchmark"
	"wavemill/models/sampling"
)

// benchGenerate holds the flags of `bench generate`.
type benchGenerate struct {
	models  []string
	labels  []string
	clips   int
	seed    uint64
	workers int
	asJSON  bool
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
	f.StringSliceVar(&b.labels, "label", []string{sampling.AllLabels}, "what to generate, in turn: labels of the model, or all")
	f.IntVar(&b.clips, "clips", 500, "clips to time, one after the other and then at once")
	f.Uint64Var(&b.seed, "seed", 1, "seed of the first clip")
	f.IntVar(&b.workers, "workers", runtime.GOMAXPROCS(0), "clips that are generated at the same time in the second part")
	f.BoolVar(&b.asJSON, "json", false, "print one line of JSON for each model")
	return cmd
}

func (a *app) benchGenerate(ctx context.Context, b benchGenerate) error {
	switch {
	case len(b.models) == 0:
		return usagef("--model is missing: the checkpoint to generate with")
	case b.clips < 1:
		return usagef("--clips %d: time one clip or more", b.clips)
	case b.workers < 1:
		return usagef("--workers %d: use one or more", b.workers)
	}
	for _, path := range b.models {
		g, err := a.timeGeneration(ctx, b, path)
		if err != nil {
			return err
		}
		if b.asJSON {
			err = a.printJSON(g)
		} else {
			err = a.sayGeneration(g)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *app) timeGeneration(ctx context.Context, b benchGenerate, path string) (g benchmark.Generation, err error) {
	checkpoint, err := models.Read(path)
	if err != nil {
		return g, err
	}
	sampler, err := sampling.Open(checkpoint)
	if err != nil {
		return g, fmt.Errorf("%s: %w", path, err)
	}
	labels, err := chosenLabels(b.labels, sampler.Labels)
	if err != nil {
		return g, err
	}
	o := benchmark.GenerationOptions{Model: path, Labels: labels, Clips: b.clips, Seed: b.seed, Workers: b.workers}
	task := a.console.Start("time "+path, int64(o.Total()), "clips")
	o.OnProgress = func() { task.Add(1) }
	g, err = benchmark.TimeGeneration(ctx, sampler, o)
	task.End(err)
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return g, err
}

func (a *app) sayGeneration(g benchmark.Generation) error {
	if err := a.say("%s: %s, kernels %s, %d threads, %d clips of %.2f s", g.Model, g.Arch, g.Kernels, g.Threads, g.Clips, g.Seconds); err != nil {
		return err
	}
	if g.Silent > 0 {
		if err := a.say("  %d clips were silent and not timed", g.Silent); err != nil {
			return err
		}
	}
	for _, s := range []struct {
		name string
		time benchmark.StageTime
	}{{"label to WAV", g.All}, {"  network", g.Network}, {"  phase", g.Phase}, {"  WAV", g.WAV}} {
		if err := a.say("%-14s p50 %7.3f ms   p95 %7.3f ms   p99 %7.3f ms", s.name, s.time.P50, s.time.P95, s.time.P99); err != nil {
			return err
		}
	}
	return a.say("%-14s %.0f clips/s, %d at once", "throughput", g.PerSec, g.Workers)
}
