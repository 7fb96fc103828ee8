package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wavemill/models/nn/benchmark"
	"wavemill/models/nn/kernel"
)

// benchTrain holds the flags of `bench train`.
type benchTrain struct {
	benchmark.Options
	seconds float64
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
	f.IntSliceVar(&b.Threads, "threads", []int{1, 2}, "thread counts, one after the other")
	wordDefault(f, "threads", "1,2")
	f.StringSliceVar(&b.Only, "only", nil, "only these: "+strings.Join(benchmark.Names(), ", "))
	f.Float64Var(&b.seconds, "seconds", 3, "how long to time each")
	f.BoolVar(&b.Scaling, "scaling", false, "instead: the step against batch and image size, Gorgonia's own operations, and the start")
	f.BoolVar(&b.asJSON, "json", false, "print one line of JSON for each")
	return cmd
}

func (a *app) benchTrain(b benchTrain) error {
	b.Time = time.Duration(b.seconds * float64(time.Second))
	if err := b.Validate(); err != nil {
		return usagef("--%w", err)
	}
	peak := kernel.PeakGFLOPS(200 * time.Millisecond)
	if !b.asJSON {
		if err := a.say("%s", benchmark.Heading(peak)); err != nil {
			return err
		}
	}
	return benchmark.Run(b.Options, peak, func(l benchmark.Line) error {
		if b.asJSON {
			return a.printJSON(l)
		}
		return a.say("%v", l)
	})
}
