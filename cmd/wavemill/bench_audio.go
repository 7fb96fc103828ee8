package main

import (
	"strings"

	"github.com/spf13/cobra"

	"wavemill/audio/benchmark"
)

func newBenchAudio(a *app) *cobra.Command {
	var o benchmark.Options
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "audio --data DIR",
		Short: "Time audio processing: files to log-mel, phase, Fourier transform, resampling",
		Long: `Times the audio work of the comparison with torchaudio, SciPy and sox: WAV files to
log-mel in one array file, log-mel in memory, Griffin-Lim, phase reconstruction, the
real Fourier transform and resampling. Prints the median time of each.
WAVEMILL_KERNEL=avx512|avx2|go forces a class of kernels.`,
		Example: `  wavemill bench audio --data recordings
  wavemill bench audio --data recordings --threads 1 --only logmel-in-memory,rfft-1024 --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.Validate(); err != nil {
				return usagef("--%w", err)
			}
			return benchmark.Run(cmd.Context(), o, func(l benchmark.Line) error {
				if asJSON {
					return a.printJSON(l)
				}
				return a.say("%v", l)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Data, "data", "", "folder of WAV recordings, at any depth (required)")
	f.IntVar(&o.Threads, "threads", 2, "threads that share the work")
	f.StringSliceVar(&o.Only, "only", nil, "only these: "+strings.Join(benchmark.Names(), ", "))
	f.Float64Var(&o.Seconds, "seconds", 2, "how long to time each")
	f.BoolVar(&asJSON, "json", false, "print one line of JSON for each")
	return cmd
}
