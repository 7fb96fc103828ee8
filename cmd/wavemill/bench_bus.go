package main

import (
	"github.com/spf13/cobra"

	"wavemill/operators/benchmark"
)

// benchBus holds the flags of `bench bus`.
type benchBus struct {
	benchmark.Options
	servers []string
	asJSON  bool
}

func newBenchBus(a *app) *cobra.Command {
	var b benchBus
	cmd := &cobra.Command{
		Use:   "bus --data DIR",
		Short: "Time the bus: publishing, a stage from stream to stream, the delay of a message",
		Long: `Times recordings on their way over the bus, beside "wavemill convert" on the same
recordings: publishing until every one is confirmed; the spectrogram stage on the
backlog; both at the same time, until the last spectrogram is stored and its recording
acknowledged; and one recording after the other, from publishing to the stored
spectrogram. Nothing is acknowledged before its output is stored, as in every pipeline.

Without --nats it runs the embedded server with its defaults, which syncs every write to
disk, and a server over TCP as nats-server runs by default, which does not. With --nats
it uses a pipeline of its own on that server and removes it.`,
		Example: `  wavemill bench bus --data recordings
  wavemill bench bus --data recordings --nats nats://host:4222 --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := b.Validate(); err != nil {
				return usagef("--%w", err)
			}
			b.Servers, b.Registry = b.servers, operators(hooks{})
			b.OnRow = func(r benchmark.Row) error { return a.printResult(b.asJSON, r) }
			_, err := benchmark.Run(cmd.Context(), b.Options)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&b.Data, "data", "", "folder of recordings, at any depth (required)")
	addLabels(cmd, &b.Labels)
	f.StringSliceVar(&b.servers, "nats", nil, "URL of a NATS server, embedded or own (default: embedded and own)")
	f.IntVar(&b.Most, "clips", 0, "use at most this many recordings (default: all)")
	f.IntVar(&b.Rate, "rate", 8000, "sample rate of the spectrograms in Hz")
	f.IntVar(&b.Workers, "workers", 0, "workers of the stage and of the conversion (default: one for each processor)")
	f.IntVar(&b.Singles, "singles", 200, "recordings to time one after the other")
	f.BoolVar(&b.asJSON, "json", false, "print one line of JSON for each row")
	return cmd
}
