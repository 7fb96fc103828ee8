package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wavemill/models/nn/benchmark"
	"wavemill/models/nn/kernel"
)

// benchTrain holds the flags of `bench train`.
type benchTrain struct {
	threads []int
	only    []string
	seconds float64
	scaling bool
	asJSON  bool
}

func newBenchTrain(a *app) *cobra.Command {
	var b benchTrain
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Time the reference networks: training steps and inference",
		Long: `Times the reference networks of the comparison with PyTorch: a discriminator's
step, a whole GAN step, a VAE's step, and a generator's inference. Prints the
median time, the GFLOPS that this amounts to, and the peak of this processor.
WAVEMILL_KERNEL=avx512|avx2|go forces a class of kernels.`,
		Example: `  wavemill bench train
  wavemill bench train --threads 1 --only discriminator-step,generator-b1 --json`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return a.benchTrain(b) },
	}
	f := cmd.Flags()
	f.IntSliceVar(&b.threads, "threads", []int{1, 2}, "thread counts, one after the other")
	f.StringSliceVar(&b.only, "only", nil, "only these: "+strings.Join(benchmark.Names(), ", "))
	f.Float64Var(&b.seconds, "seconds", 3, "how long to time each")
	f.BoolVar(&b.scaling, "scaling", false, "instead: the step against batch and image size, Gorgonia's own operations, and the start")
	f.BoolVar(&b.asJSON, "json", false, "print one line of JSON for each")
	return cmd
}

// benchLine is one measured time, with the FMA peak of one core beside it.
type benchLine struct {
	benchmark.Timing
	Peak float64 `json:"peak_gflops"`
}

func (a *app) benchTrain(b benchTrain) error {
	work, err := b.work()
	if err != nil {
		return err
	}
	for _, t := range b.threads {
		if t < 1 {
			return usagef("--threads must be 1 or more, not %d", t)
		}
	}
	if !(b.seconds > 0) {
		return usagef("--seconds must be above 0, not %g", b.seconds)
	}
	peak := kernel.PeakGFLOPS(200 * time.Millisecond)
	if !b.asJSON {
		if err := a.say("kernels %s, at most %.0f GFLOPS per core", kernel.Class(), peak); err != nil {
			return err
		}
	}
	for _, threads := range b.threads {
		for _, prepare := range work {
			w, err := prepare()
			if err != nil {
				return err
			}
			t, err := benchmark.Measure(w, threads, time.Duration(b.seconds*float64(time.Second)))
			if err != nil {
				return fmt.Errorf("%s: %w", w.Name, err)
			}
			line := benchLine{t, peak}
			if b.asJSON {
				err = a.printJSON(line)
			} else {
				err = a.say("%-34s %d thread(s) %10.3f ms %8.1f GFLOPS %5.1f %% of the peak",
					t.Name, threads, t.MS, t.GFLOPS, 100*t.GFLOPS/(peak*float64(threads)))
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// work returns the networks to time.
func (b benchTrain) work() ([]func() (*benchmark.Work, error), error) {
	if b.scaling {
		return benchmark.Scaling(), nil
	}
	names := benchmark.Names()
	for _, name := range b.only {
		if !slices.Contains(names, name) {
			return nil, usagef("--only is one of %s; not %q", strings.Join(names, ", "), name)
		}
	}
	var list []func() (*benchmark.Work, error)
	for _, name := range names {
		if len(b.only) == 0 || slices.Contains(b.only, name) {
			list = append(list, func() (*benchmark.Work, error) { return benchmark.New(name) })
		}
	}
	return list, nil
}
