package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wavemill/audio/benchmark"
)

// benchAudio holds the flags of `bench audio`.
type benchAudio struct {
	data    string
	threads int
	only    []string
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
		RunE: func(cmd *cobra.Command, _ []string) error { return a.benchAudio(cmd, b) },
	}
	f := cmd.Flags()
	f.StringVar(&b.data, "data", "", "folder of WAV recordings, at any depth (required)")
	f.IntVar(&b.threads, "threads", 2, "threads that share the work")
	f.StringSliceVar(&b.only, "only", nil, "only these: "+strings.Join(benchmark.Names(), ", "))
	f.Float64Var(&b.seconds, "seconds", 2, "how long to time each")
	f.BoolVar(&b.asJSON, "json", false, "print one line of JSON for each")
	return cmd
}

func (a *app) benchAudio(cmd *cobra.Command, b benchAudio) error {
	if b.data == "" {
		return usagef("--data is missing: the folder with the recordings")
	}
	if b.threads < 1 {
		return usagef("--threads is at least 1, not %d", b.threads)
	}
	if !(b.seconds > 0) {
		return usagef("--seconds must be above 0, not %g", b.seconds)
	}
	for _, name := range b.only {
		if !slices.Contains(benchmark.Names(), name) {
			return usagef("--only is one of %s; not %q", strings.Join(benchmark.Names(), ", "), name)
		}
	}
	o := benchmark.Options{Data: b.data, Threads: b.threads, Only: b.only, Time: time.Duration(b.seconds * float64(time.Second))}
	return benchmark.Run(cmd.Context(), o, func(l benchmark.Line) error {
		if b.asJSON {
			return a.printJSON(l)
		}
		detail := l.Unit
		switch {
		case l.Files > 0:
			detail = fmt.Sprintf("%d files", l.Files)
		case l.Clips > 0:
			detail = fmt.Sprintf("%d clips", l.Clips)
		}
		return a.say("%-22s %d thread(s) %12.5g ms  %s", l.Name, l.Threads, l.MS, detail)
	})
}
