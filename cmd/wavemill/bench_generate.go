package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/frontend"
	"wavemill/models/nn/kernel"
	"wavemill/models/sampling"
)

// benchGenerate is what `bench generate` is asked for.
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
		Long: `Times what it takes from a label to the bytes of a WAV on a loaded model. First one
clip after the other, as a request on the bus is answered: the whole way and, apart,
the network, the phase reconstruction with trimming and levelling, and the encoding
of the WAV with its provenance. Then many at once, as "wavemill generate --n" makes
them. Nothing is written; the first clips, which warm caches up, do not count.`,
		Example: `  wavemill bench generate --model model.safetensors
  wavemill bench generate --model vae.safetensors --model gan.safetensors --clips 1000 --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.benchGenerate(cmd.Context(), b) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&b.models, "model", nil, "checkpoint, such as model.safetensors; may be repeated (required)")
	f.StringSliceVar(&b.labels, "label", []string{sampling.AllLabels}, "labels to generate, in turn, or all")
	f.IntVar(&b.clips, "clips", 500, "clips to time, one after the other and then at once")
	f.Uint64Var(&b.seed, "seed", 1, "seed of the first clip")
	f.IntVar(&b.workers, "workers", runtime.GOMAXPROCS(0), "clips in the making at the same time in the second part")
	f.BoolVar(&b.asJSON, "json", false, "print one line of JSON for each model")
	return cmd
}

// A stageTime is the distribution of the time of one stage over clips, in milliseconds.
type stageTime struct {
	P50 float64 `json:"p50_ms"`
	P95 float64 `json:"p95_ms"`
	P99 float64 `json:"p99_ms"`
}

// generateTimes is what `bench generate --json` prints.
type generateTimes struct {
	Model   string    `json:"model"`
	Digest  string    `json:"digest"`
	Arch    string    `json:"arch"`
	Kernels string    `json:"kernels"` // class of instructions
	Threads int       `json:"threads"`
	Seconds float64   `json:"clip_seconds"` // mean duration of a clip
	Clips   int       `json:"clips"`
	Silent  int       `json:"silent,omitempty"` // of them, not timed
	All     stageTime `json:"all"`
	Network stageTime `json:"network"`
	Phase   stageTime `json:"phase"`
	WAV     stageTime `json:"wav"`
	Workers int       `json:"workers"`
	PerSec  float64   `json:"clips_per_second"` // workers at once
}

func (a *app) benchGenerate(ctx context.Context, b benchGenerate) error {
	switch {
	case len(b.models) == 0:
		return usagef("--model is missing: the checkpoint to generate with")
	case b.clips < 1:
		return usagef("--clips %d: time one clip or more", b.clips)
	case b.workers < 1:
		return usagef("--workers %d: at least one must work", b.workers)
	}
	for _, path := range b.models {
		t, err := a.timeModel(ctx, b, path)
		if err != nil {
			return err
		}
		if b.asJSON {
			err = a.printJSON(t)
		} else {
			err = a.sayTimes(t)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *app) sayTimes(t generateTimes) error {
	if err := a.say("%s: %s, kernels %s, %d threads, %d clips of %.2f s", t.Model, t.Arch, t.Kernels, t.Threads, t.Clips, t.Seconds); err != nil {
		return err
	}
	if t.Silent > 0 {
		if err := a.say("  %d clips were silent and not timed", t.Silent); err != nil {
			return err
		}
	}
	for _, s := range []struct {
		name string
		time stageTime
	}{{"label to WAV", t.All}, {"  network", t.Network}, {"  phase", t.Phase}, {"  WAV", t.WAV}} {
		if err := a.say("%-14s p50 %7.3f ms   p95 %7.3f ms   p99 %7.3f ms", s.name, s.time.P50, s.time.P95, s.time.P99); err != nil {
			return err
		}
	}
	return a.say("%-14s %.0f clips/s, %d at once", "throughput", t.PerSec, t.Workers)
}

// benchWarmUp is how many clips are made before any is timed.
const benchWarmUp = 20

func (a *app) timeModel(ctx context.Context, b benchGenerate, path string) (generateTimes, error) {
	checkpoint, err := models.Read(path)
	if err != nil {
		return generateTimes{}, err
	}
	maker, err := sampling.Open(checkpoint)
	if err != nil {
		return generateTimes{}, fmt.Errorf("%s: %w", path, err)
	}
	labels, err := chosenLabels(b.labels, maker.Labels)
	if err != nil {
		return generateTimes{}, err
	}
	asked := func(i int) sampling.Provenance {
		return sampling.Provenance{Label: labels[i%len(labels)], Seed: b.seed + uint64(i)}
	}
	t := generateTimes{
		Model: path, Digest: maker.Digest, Arch: maker.Arch, Kernels: kernel.Class(), Threads: runtime.GOMAXPROCS(0),
		Clips: b.clips, Workers: b.workers,
	}
	task := a.console.Start("time "+path, int64(benchWarmUp+2*b.clips), "clips")
	defer task.Done()
	var times [4][]float64 // all, network, phase, WAV
	for i := -benchWarmUp; i < b.clips; i++ {
		if err := ctx.Err(); err != nil {
			return t, err
		}
		stages, seconds, err := timeClip(ctx, maker, asked(max(i, 0)))
		silent := errors.Is(err, frontend.ErrSilent)
		if err != nil && !silent {
			return t, err
		}
		task.Add(1)
		if i < 0 {
			continue
		}
		if silent { // it takes no phase and would make the others look faster
			t.Silent++
			continue
		}
		t.Seconds += seconds
		for s, d := range stages {
			times[s] = append(times[s], d.Seconds()*1000)
		}
	}
	if t.Silent == b.clips {
		return t, fmt.Errorf("%s makes silence: there is nothing to time; train it longer", path)
	}
	t.Seconds /= float64(b.clips - t.Silent)
	t.All, t.Network, t.Phase, t.WAV = spread(times[0]), spread(times[1]), spread(times[2]), spread(times[3])

	began := time.Now()
	var next atomic.Int64
	group, working := errgroup.WithContext(ctx)
	for range b.workers {
		group.Go(func() error {
			for i := int(next.Add(1)) - 1; i < b.clips; i = int(next.Add(1)) - 1 {
				if _, _, err := timeClip(working, maker, asked(i)); err != nil && !errors.Is(err, frontend.ErrSilent) {
					return err
				}
				task.Add(1)
			}
			return nil
		})
	}
	err = group.Wait()
	t.PerSec = float64(b.clips-t.Silent) / time.Since(began).Seconds()
	return t, err
}

// timeClip makes a clip and returns what it took in all, and in the network, the phase and the WAV, and how long it is.
func timeClip(ctx context.Context, maker *sampling.Sampler, p sampling.Provenance) (stages [4]time.Duration, seconds float64, err error) {
	began := time.Now()
	batch, err := maker.Sample(ctx, p)
	if err != nil {
		return stages, 0, err
	}
	imagined := time.Now()
	clip, err := maker.Vocode(batch, 0, p)
	if err != nil {
		return stages, 0, err
	}
	sounded := time.Now()
	if _, err := clip.WAV(wav.PCM16); err != nil {
		return stages, 0, err
	}
	done := time.Now()
	stages = [4]time.Duration{done.Sub(began), imagined.Sub(began), sounded.Sub(imagined), done.Sub(sounded)}
	return stages, clip.Audio.Duration().Seconds(), nil
}

// spread returns the quantiles of times, the nearest rank each.
func spread(ms []float64) stageTime {
	slices.Sort(ms)
	at := func(q float64) float64 { return ms[min(len(ms)-1, int(q*float64(len(ms))))] }
	return stageTime{P50: at(0.5), P95: at(0.95), P99: at(0.99)}
}
