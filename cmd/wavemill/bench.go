package main

import (
	"github.com/spf13/cobra"

	"wavemill/internal/usage"
)

// newBench groups the benchmarks; each is in a file of its own.
func newBench(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure speed and quality: the figures of docs/benchmarks.md and docs/quality.md",
		Args:  cobra.ArbitraryArgs,
		RunE:  usage.GroupOnly,
	}
	cmd.AddCommand(newBenchTrain(a), newBenchAudio(a), newBenchGenerate(a), newBenchQuality(a))
	return cmd
}
