package main

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"wavemill/audio/convert"
	"wavemill/audio/spectrogram"
	"wavemill/internal/progress"
	"wavemill/internal/usage"
)

// convertOptions are the flags of `wavemill convert`.
type convertOptions struct {
	convert.Options
	shardMiB int64
	config   spectrogram.Overrides
	chop     chopFlags
	asJSON   bool
}

func newConvert(a *app) *cobra.Command {
	var o convertOptions
	cmd := &cobra.Command{
		Use:   "convert SRC... --out DIR",
		Short: "Turn folders of recordings into spectrograms, pictures or WAV, and back",
		Long: `Convert turns recordings into spectrograms: .npy shards with a manifest.jsonl that
describes each row. --to png draws them, --to wav writes any format as WAV.
A folder of shards as SRC is turned back into sound (--to wav) or pictures.

It can be interrupted or killed at any moment: the same command continues from
there. Files that cannot be read are listed in DIR/skipped.jsonl with the reason.`,
		Example: `  wavemill convert recordings/ --out shards
  wavemill convert recordings/ --out pictures --to png
  wavemill convert shards --out sound --to wav`,
		Args: needArgs("a folder or a file to convert"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.chop.check(cmd.Flags()); err != nil {
				return err
			}
			return a.convert(cmd.Context(), args, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Out, "out", "", "folder for the results; it is created if necessary (required)")
	f.StringVar((*string)(&o.To), "to", "npy", "output format: npy, png, wav")
	f.IntVar(&o.Workers, "workers", 0, "files converted at once (default: one for each processor)")
	addLabels(cmd, &o.Labels)
	o.chop.add(f)
	f.IntVar(&o.Rate, "rate", 0, "sample rate in Hz of the output (default: that of most recordings; for wav that of each recording)")
	f.StringVar(&o.Bits, "bits", "", "sample format of wav: 16, 24 or 32f (default: what holds the samples of each recording; 32f from shards)")
	f.Int64Var(&o.shardMiB, "shard-size", 256, "MiB at which a shard ends")
	f.IntVar(&o.config.NFFT, "n-fft", 0, "samples in a frame (default: about 64 ms)")
	f.IntVar(&o.config.Hop, "hop", 0, "samples between frames (default: a quarter of a frame)")
	f.StringVar(&o.config.Scale, "scale", "", "frequency scale: mel, linear (default mel)")
	f.IntVar(&o.config.Mels, "mels", 0, "mel filters")
	f.StringVar(&o.config.MelFormula, "mel-formula", "", "mel scale: slaney, htk (default slaney)")
	f.StringVar(&o.config.MelNorm, "mel-norm", "", "mel filters: slaney (unit area in Hz), none (peaks of 1) (default slaney)")
	f.StringVar(&o.config.Pad, "pad", "", "samples before the beginning and after the end: zero, reflect (default zero)")
	f.Var(usage.NewOptional(&o.config.FMin, 0), "f-min", "lower edge of the lowest mel filter in Hz (default: 20 of mel, 0 of linear)")
	f.Float64Var(&o.config.FMax, "f-max", 0, "upper edge of the highest mel filter in Hz (default: half the rate)")
	f.BoolVar(&o.config.Two, "stereo", false, "keep where sounds are: the last 16 bins of a row are the pan and the width of 8 bands (default: mixed down)")
	f.StringVar(&o.config.Value, "value", "", "quantity of a value: log, log-power, magnitude, power (default log)")
	f.StringVar(&o.Phase.Method, "phase", spectrogram.MethodMixed, "phase reconstruction from shards: mixed, pghi+fgla, pghi, fgla, griffinlim")
	f.BoolVar(&o.asJSON, "json", false, "print the summary as one line of JSON")
	return cmd
}

func (o *convertOptions) check() error {
	switch {
	case !slices.Contains(convert.Targets(), o.To):
		return usagef("--to is one of npy, png, wav; not %q", o.To)
	case !slices.Contains(convert.BitChoices(), o.Bits):
		return usagef("--bits is one of 16, 24, 32f; not %q", o.Bits)
	case o.Workers < 0, o.Rate < 0, o.config.NFFT < 0, o.config.Hop < 0, o.config.Mels < 0:
		return usagef("--workers, --rate, --n-fft, --hop and --mels cannot be negative")
	case o.shardMiB < 1:
		return usagef("--shard-size %d: ask for one MiB or more", o.shardMiB)
	}
	return nil
}

func (a *app) convert(ctx context.Context, sources []string, o convertOptions) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	if o.config.FMin != nil && *o.config.FMin < 0 {
		o.config.FMin = nil
	}
	pieces, err := a.chop(ctx, o.chop, sources, o.Labels, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pieces.release()) }()
	o.Sources, o.Labels, o.ShardBytes = pieces.data, pieces.labels, o.shardMiB<<20
	o.Config = func(rate int) spectrogram.Config { return o.config.Apply(spectrogram.Default(rate)) }
	var task *progress.Task
	summary, err := convert.Run(ctx, o.Options, func(p convert.Progress) {
		if task == nil {
			task = a.console.Start("convert", int64(p.Total), "files")
		}
		if s := p.Elapsed.Seconds(); s > 0 {
			task.Note("%.0f x real time, %d skipped", p.Seconds/s, p.Skipped)
		}
		task.Set(int64(p.Done))
	})
	task.Done()
	if summary.Out == "" { // It ended before it began to convert.
		return err
	}
	if err != nil && !o.asJSON {
		return err
	}
	return errors.Join(err, a.printResult(o.asJSON, summary))
}
