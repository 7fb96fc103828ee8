package main

import (
	"strings"

	"github.com/spf13/cobra"

	"wavemill/models/nn/benchmark"
)

func newBenchTrain(a *app) *cobra.Command {
	var o benchmark.Options
	var asJSON bool
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
		RunE: func(*cobra.Command, []string) error { return a.benchTrain(o, asJSON) },
	}
	f := cmd.Flags()
	f.IntSliceVar(&o.Threads, "threads", []int{1, 2}, "thread counts, one after the other")
	f.StringSliceVar(&o.Only, "only", nil, "only these: "+strings.Join(benchmark.Names(), ", "))
	f.Float64Var(&o.Seconds, "seconds", 3, "how long to time each")
	f.BoolVar(&o.Scaling, "scaling", false, "instead: the step against batch and image size, Gorgonia's own operations, and the start")
	f.BoolVar(&asJSON, "json", false, "print one line of JSON for each")
	return cmd
}

func (a *app) benchTrain(o benchmark.Options, asJSON bool) error {
	if err := o.Validate(); err != nil {
		return usagef("--%w", err)
	}
	headed := asJSON
	return benchmark.Run(o, func(l benchmark.Line) error {
		if !headed {
			if err := a.say("kernels %s, at most %.0f GFLOPS per core", l.Kernel, l.Peak); err != nil {
				return err
			}
			headed = true
		}
		if asJSON {
			return a.printJSON(l)
		}
		return a.say("%v", l)
	})
}
