package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wavemill/audio/benchmark"
)

// benchAudio holds the flags of `bench audio`.
type benchAudio struct {
	benchmark.Options
	seconds float64
	asJSON  bool
}

func newBenchAudio(a *app) *cobra.Command {
	var b benchAudio
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
		RunE: func(cmd *cobra.Command, _ []string) error { return a.benchAudio(cmd.Context(), b) },
	}
	f := cmd.Flags()
	f.StringVar(&b.Data, "data", "", "folder of WAV recordings, at any depth (required)")
	f.IntVar(&b.Threads, "threads", 2, "threads that share the work")
	f.StringSliceVar(&b.Only, "only", nil, "only these: "+strings.Join(benchmark.Names(), ", "))
	f.Float64Var(&b.seconds, "seconds", 2, "how long to time each")
	f.BoolVar(&b.asJSON, "json", false, "print one line of JSON for each")
	return cmd
}

func (a *app) benchAudio(ctx context.Context, b benchAudio) error {
	b.Time = time.Duration(b.seconds * float64(time.Second))
	if err := b.Validate(); err != nil {
		return usagef("--%w", err)
	}
	return benchmark.Run(ctx, b.Options, func(l benchmark.Line) error {
		if b.asJSON {
			return a.printJSON(l)
		}
		return a.say("%v", l)
	})
}
