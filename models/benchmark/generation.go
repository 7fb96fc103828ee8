package benchmark

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"wavemill/audio/wav"
	"wavemill/models/nn/kernel"
	"wavemill/models/sampling"
)

// warmUp is how many clips are generated before any is timed: they fill caches and compile the network.
const warmUp = 20

// A StageTime is the distribution of the time that a stage takes per clip, in milliseconds.
type StageTime struct {
	P50 float64 `json:"p50_ms"`
	P95 float64 `json:"p95_ms"`
	P99 float64 `json:"p99_ms"`
}

// A Generation holds the times of generating clips with one checkpoint.
type Generation struct {
	Model   string    `json:"model"` // as the caller names it
	Digest  string    `json:"digest"`
	Arch    string    `json:"arch"`
	Kernels string    `json:"kernels"` // class of instructions
	Threads int       `json:"threads"`
	Seconds float64   `json:"clip_seconds"` // mean duration of a clip
	Clips   int       `json:"clips"`
	Silent  int       `json:"silent,omitempty"` // of them, not timed
	All     StageTime `json:"all"`              // from the label to the bytes of the file, one clip after the other
	Network StageTime `json:"network"`
	Phase   StageTime `json:"phase"` // phase reconstruction, trimming and levelling
	WAV     StageTime `json:"wav"`   // encoding, with provenance
	Workers int       `json:"workers"`
	PerSec  float64   `json:"clips_per_second"` // with Workers at once
}

// GenerationOptions say what to time.
type GenerationOptions struct {
	Model   string   // name for the result
	Labels  []string // of the clips, in turn; at least one
	Clips   int      // to time, one after the other and then Workers at once
	Seed    uint64   // of the first clip; clip i has Seed + i
	Workers int      // clips generated at the same time in the second part
	// OnProgress, when not nil, is called for every clip that is done, from several goroutines.
	OnProgress func()
}

// Total is how often OnProgress is called.
func (o GenerationOptions) Total() int { return warmUp + 2*o.Clips }

// Validate reports what is wrong. The message begins with the field's name in lower case.
func (o GenerationOptions) Validate() error {
	switch {
	case len(o.Labels) == 0:
		return errors.New("label is missing: what to generate")
	case o.Clips < 1:
		return fmt.Errorf("clips %d: time one clip or more", o.Clips)
	case o.Workers < 1:
		return fmt.Errorf("workers %d: use one or more", o.Workers)
	}
	return nil
}

// String is the result in several lines, without a final newline.
func (g Generation) String() string {
	lines := []string{fmt.Sprintf("%s: %s, kernels %s, %d threads, %d clips of %.2f s", g.Model, g.Arch, g.Kernels, g.Threads, g.Clips, g.Seconds)}
	if g.Silent > 0 {
		lines = append(lines, fmt.Sprintf("  %d clips were silent and not timed", g.Silent))
	}
	for _, s := range []struct {
		name string
		time StageTime
	}{{"label to WAV", g.All}, {"  network", g.Network}, {"  phase", g.Phase}, {"  WAV", g.WAV}} {
		lines = append(lines, fmt.Sprintf("%-14s p50 %7.3f ms   p95 %7.3f ms   p99 %7.3f ms", s.name, s.time.P50, s.time.P95, s.time.P99))
	}
	return strings.Join(append(lines, fmt.Sprintf("%-14s %.0f clips/s, %d at once", "throughput", g.PerSec, g.Workers)), "\n")
}

// TimeGeneration times the way from a label to the bytes of a WAV file: clip by clip, in three stages, and then many
// clips at once. Nothing is written. Silent clips take no phase reconstruction; they are counted and not timed. It is an
// error where all clips are silent.
func TimeGeneration(ctx context.Context, s *sampling.Sampler, o GenerationOptions) (Generation, error) {
	if err := o.Validate(); err != nil {
		return Generation{}, fmt.Errorf("benchmark: %w", err)
	}
	if o.OnProgress == nil {
		o.OnProgress = func() {}
	}
	g := Generation{
		Model: o.Model, Digest: s.Digest, Arch: s.Arch, Kernels: kernel.Class(), Threads: runtime.GOMAXPROCS(0),
		Clips: o.Clips, Workers: o.Workers,
	}
	if err := g.latency(ctx, s, o); err != nil {
		return g, err
	}
	return g, g.throughput(ctx, s, o)
}

// request is what clip i is generated from.
func (o GenerationOptions) request(i int) sampling.Provenance {
	return sampling.Provenance{Label: o.Labels[i%len(o.Labels)], Seed: o.Seed + uint64(i)}
}

// latency times one clip after the other.
func (g *Generation) latency(ctx context.Context, s *sampling.Sampler, o GenerationOptions) error {
	var times [4][]float64 // all, network, phase, WAV
	for i := -warmUp; i < o.Clips; i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		c, err := timeClip(ctx, s, o.request(max(i, 0)))
		silent := errors.Is(err, sampling.ErrSilent)
		if err != nil && !silent {
			return err
		}
		o.OnProgress()
		switch {
		case i < 0:
		case silent:
			g.Silent++
		default:
			g.Seconds += c.seconds
			for stage, d := range c.stages {
				times[stage] = append(times[stage], d.Seconds()*1000)
			}
		}
	}
	if g.Silent == o.Clips {
		return errors.New("benchmark: all clips of the model are silent, so that there is nothing to time; train it longer")
	}
	g.Seconds /= float64(o.Clips - g.Silent)
	g.All, g.Network, g.Phase, g.WAV = distribution(times[0]), distribution(times[1]), distribution(times[2]), distribution(times[3])
	return nil
}

// throughput times Workers clips at once.
func (g *Generation) throughput(ctx context.Context, s *sampling.Sampler, o GenerationOptions) error {
	began := time.Now()
	var next atomic.Int64
	group, working := errgroup.WithContext(ctx)
	for range o.Workers {
		group.Go(func() error {
			for i := int(next.Add(1)) - 1; i < o.Clips; i = int(next.Add(1)) - 1 {
				if _, err := timeClip(working, s, o.request(i)); err != nil && !errors.Is(err, sampling.ErrSilent) {
					return err
				}
				o.OnProgress()
			}
			return nil
		})
	}
	err := group.Wait()
	g.PerSec = float64(o.Clips-g.Silent) / time.Since(began).Seconds()
	return err
}

// A timedClip is how long a clip took, and how long it plays.
type timedClip struct {
	stages  [4]time.Duration // all, network, phase, WAV
	seconds float64
}

// timeClip generates a clip.
func timeClip(ctx context.Context, s *sampling.Sampler, p sampling.Provenance) (timedClip, error) {
	began := time.Now()
	batch, err := s.Sample(ctx, p)
	if err != nil {
		return timedClip{}, err
	}
	sampled := time.Now()
	clip, err := s.Vocode(ctx, batch, 0, p)
	if err != nil {
		return timedClip{}, err
	}
	vocoded := time.Now()
	if _, err := clip.WAV(wav.PCM16); err != nil {
		return timedClip{}, err
	}
	done := time.Now()
	return timedClip{
		stages:  [4]time.Duration{done.Sub(began), sampled.Sub(began), vocoded.Sub(sampled), done.Sub(vocoded)},
		seconds: clip.Audio.Duration().Seconds(),
	}, nil
}

// distribution returns the quantiles of times, the nearest rank each.
func distribution(ms []float64) StageTime {
	slices.Sort(ms)
	at := func(q float64) float64 { return ms[min(len(ms)-1, int(q*float64(len(ms))))] }
	return StageTime{P50: at(0.5), P95: at(0.95), P99: at(0.99)}
}
