package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"wavemill/audio/convert"
	"wavemill/audio/spectrogram"
	"wavemill/internal/progress"
)

// convertOptions are the flags of `wavemill convert`.
type convertOptions struct {
	out, to, labels     string
	workers, rate       int
	shardMiB            int64
	nfft, hop, mels     int
	fmin, fmax          float64
	scale, value, phase string
	asJSON              bool
}

func newConvert(a *app) *cobra.Command {
	var o convertOptions
	cmd := &cobra.Command{
		Use:   "convert SRC... --out DIR",
		Short: "Turn folders of recordings into spectrograms, pictures or WAV, and back",
		Long: `Convert turns recordings into spectrograms: .npy shards with a manifest.jsonl that
says what each row is of. --to png draws them, --to wav makes WAV of any format.
A folder of shards as SRC goes back to sound (--to wav) or to pictures.

It can be interrupted or killed at any moment: the same command goes on from
there. What cannot be read is listed in DIR/skipped.jsonl with the reason.`,
		Example: `  wavemill convert recordings/ --out shards
  wavemill convert recordings/ --out pictures --to png
  wavemill convert shards --out sound --to wav`,
		Args: needArgs("a folder or a file to convert"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.convert(cmd.Context(), args, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.out, "out", "", "folder for the results; it is made if it is not there (required)")
	f.StringVar(&o.to, "to", "npy", "what to make: npy, png, wav")
	f.IntVar(&o.workers, "workers", 0, "files worked on at a time (default: one for each processor)")
	addLabels(cmd, &o.labels)
	f.IntVar(&o.rate, "rate", 0, "sample rate in Hz that recordings are brought to (default: that of most; for wav each its own)")
	f.Int64Var(&o.shardMiB, "shard-size", 256, "MiB at which a shard ends")
	f.IntVar(&o.nfft, "n-fft", 0, "samples in a frame (default: about 64 ms)")
	f.IntVar(&o.hop, "hop", 0, "samples between frames (default: a quarter of a frame)")
	f.StringVar(&o.scale, "scale", "", "frequency scale: mel, linear (default mel)")
	f.IntVar(&o.mels, "mels", 0, "mel filters")
	f.Float64Var(&o.fmin, "f-min", -1, "lower edge of the lowest mel filter in Hz")
	f.Float64Var(&o.fmax, "f-max", 0, "upper edge of the highest mel filter in Hz (default: half the rate)")
	f.StringVar(&o.value, "value", "", "what a value is: log, log-power, magnitude, power (default log)")
	f.StringVar(&o.phase, "phase", "", "phase reconstruction from shards: pghi+fgla, pghi, fgla, griffinlim (default pghi+fgla)")
	f.BoolVar(&o.asJSON, "json", false, "print what was done as one line of JSON")
	return cmd
}

// config makes the spectrogram's config for a rate: the default with what the flags change.
func (o convertOptions) config(rate int) spectrogram.Config {
	c := spectrogram.Default(rate)
	if o.nfft > 0 {
		c.NFFT, c.Hop = o.nfft, max(1, o.nfft/4)
	}
	if o.hop > 0 {
		c.Hop = o.hop
	}
	if o.scale != "" && o.scale != c.Scale {
		c.Scale, c.Mels, c.FMin, c.FMax = o.scale, 0, 0, 0
	}
	if o.mels > 0 {
		c.Mels = o.mels
	}
	if o.fmin >= 0 {
		c.FMin = o.fmin
	}
	if o.fmax > 0 {
		c.FMax = o.fmax
	}
	if o.value != "" && o.value != c.Value {
		c.Value, c.Min, c.Max = o.value, 0, 0
		if !strings.HasPrefix(o.value, "log") {
			c.Floor = 0
		}
	}
	return c
}

func (o convertOptions) check() error {
	switch {
	case o.out == "":
		return usagef("--out is missing: the folder for the results")
	case !slices.Contains(convert.Targets(), convert.Target(o.to)):
		return usagef("--to is one of npy, png, wav; not %q", o.to)
	case o.workers < 0, o.rate < 0, o.nfft < 0, o.hop < 0, o.mels < 0:
		return usagef("--workers, --rate, --n-fft, --hop and --mels cannot be negative")
	case o.shardMiB < 1:
		return usagef("--shard-size %d: ask for one MiB or more", o.shardMiB)
	}
	return nil
}

func (a *app) convert(ctx context.Context, sources []string, o convertOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	var task *progress.Task
	summary, err := convert.Run(ctx, convert.Options{
		Sources: sources, Out: o.out, To: convert.Target(o.to), Labels: o.labels, Workers: o.workers, Rate: o.rate,
		Config: o.config, ShardBytes: o.shardMiB << 20, Phase: spectrogram.Phase{Method: o.phase},
	}, func(p convert.Progress) {
		if task == nil {
			task = a.console.Start("convert", int64(p.Total), "files")
		}
		if s := p.Elapsed.Seconds(); s > 0 {
			task.Note("%.0f x real time, %d skipped", p.Seconds/s, p.Skipped)
		}
		task.Set(int64(p.Done))
	})
	task.Done()
	if summary.Out == "" { // It ended before anything was done.
		return err
	}
	if o.asJSON {
		return errors.Join(err, a.printJSON(summary))
	}
	if err != nil {
		return err
	}
	return a.say("%s", describe(summary))
}

// describe is a summary for a person.
func describe(s convert.Summary) string {
	labels := make([]string, 0, len(s.Labels))
	for _, label := range slices.Sorted(maps.Keys(s.Labels)) {
		labels = append(labels, fmt.Sprintf("%s (%d)", label, s.Labels[label]))
	}
	lines := []string{
		fmt.Sprintf("%s: %d files to %s, %d of them in an earlier run, %d skipped", s.Out, s.Converted+s.AlreadyDone, s.To, s.AlreadyDone, s.Skipped),
		fmt.Sprintf("  %.1f s of sound in %.2f s (%.0f x real time)", s.Seconds, s.Elapsed, s.Realtime),
		fmt.Sprintf("  labels from the %s: %s", s.LabelSource, abridge(labels, 20)),
	}
	if c := s.Config; c != nil {
		lines = append(lines, fmt.Sprintf("  %d bins (%s, %s) at %d Hz, n_fft %d, hop %d", c.Bins(), c.Scale, c.Value, c.SampleRate, c.NFFT, c.Hop))
	}
	if s.Truncated > 0 {
		lines = append(lines, fmt.Sprintf("  %d files end before the sound they promise; what is there was converted", s.Truncated))
	}
	if s.Skipped > 0 {
		lines = append(lines, "  what was skipped, and why: "+s.Out+"/"+convert.SkippedName)
	}
	return strings.Join(lines, "\n")
}
