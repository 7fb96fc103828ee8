package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wavemill/audio/slice"
	"wavemill/internal/progress"
)

// sliceOptions are the flags of `wavemill slice`.
type sliceOptions struct {
	job    slice.Job
	by     string
	cuts   slice.Config // What flags say; those that were given count.
	asJSON bool
	flags  *pflag.FlagSet
}

func newSlice(a *app) *cobra.Command {
	var o sliceOptions
	cmd := &cobra.Command{
		Use:   "slice SRC... --out DIR",
		Short: "Cut long recordings into clips, by onsets, silence, speech or a table",
		Long: `Slice cuts recordings of any length into WAV files: DIR/<label>/<source>_<ms>.wav, and
lists them in DIR/clips.jsonl with source, start, end, label and level. It decodes block
by block, so hours take no more memory than seconds. The samples are not changed.

--by onset    begins a clip at every onset; it ends at the next or when it has decayed
--by silence  takes what is louder than the background, from pause to pause
--by speech   takes what is spoken, from pause to pause, also in noise
--by length   cuts pieces of --max, with --overlap
--by table    takes the times of --table: a CSV file with the columns start and end, and
              perhaps label and file, or labels that Audacity has exported

What is left out is counted: sounds shorter than --min, clips below --silent, pauses.
A run that was interrupted goes on with the same command. Pieces of one recording have
it as their group; train keeps them on one side of its split with --group.`,
		Example: `  wavemill slice takes/ --out oneshots
  wavemill slice session.wav --by table --table labels.txt --out oneshots
  wavemill slice interview.flac --by speech --label anna --out words
  wavemill slice field/ --by length --max 4s --overlap 1s --out pieces
  wavemill train --data oneshots --labels oneshots/clips.jsonl --group group --out model.safetensors`,
		Args: needArgs("a file or a folder to slice"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.flags, o.job.Sources = cmd.Flags(), args
			return a.slice(cmd.Context(), o)
		},
	}
	o.add(cmd)
	return cmd
}

func (o *sliceOptions) add(cmd *cobra.Command) {
	f, c := cmd.Flags(), &o.cuts
	f.StringVar(&o.job.Out, "out", "", "folder for the clips; new, empty, or that of an interrupted run (required)")
	f.StringVar(&o.by, "by", "onset", "where to cut: onset, silence, speech, length, table")
	f.StringVar(&o.job.Table, "table", "", "CSV file with the times of the clips, for --by table")
	f.StringVar(&o.job.Label, "label", "", "label of all clips; one in the table counts more")
	addLabels(cmd, &o.job.Labels)
	f.DurationVar(&c.Min, "min", 0, "shortest clip (default 50ms; 100ms by speech)")
	f.DurationVar(&c.Max, "max", 0, "longest clip, up to 5m; longer sounds are cut where they are quietest (default 10s by onset, 30s by silence, 15s by speech, 5s by length)")
	f.DurationVar(&c.PreRoll, "pre-roll", 0, "what is kept before a sound (default 10ms by onset, 20ms by silence, 100ms by speech)")
	f.DurationVar(&c.PostRoll, "post-roll", 0, "what is kept after a sound (default 50ms by onset, 100ms by silence, 200ms by speech)")
	f.DurationVar(&c.Gap, "gap", 0, "shortest pause between two clips (default 100ms by onset, 300ms by silence and speech)")
	f.DurationVar(&c.Overlap, "overlap", 0, "what two pieces have in common where --max cuts (default none)")
	f.Float64Var(&c.Threshold, "threshold", 12, "dB above the noise floor at which a sound begins")
	f.Float64Var(&c.Rise, "rise", 3, "dB by which the spectrum rises at an onset; less finds softer onsets")
	f.Float64Var(&c.Silent, "silent", -60, "peak in dB of full scale below which a clip is left out")
	f.StringVar(&o.job.Encoding, "bits", "", "sample format: 16, 24 or 32f (default: what holds the samples of each recording)")
	f.BoolVar(&o.asJSON, "json", false, "print the summary as one line of JSON")
}

// settle makes the configuration of the flags that were given.
func (o *sliceOptions) settle() error {
	given := func(name string, value *time.Duration) *time.Duration {
		if o.flags.Changed(name) {
			return value
		}
		return nil
	}
	c := &o.cuts
	over := slice.Overrides{
		Min: given("min", &c.Min), Max: given("max", &c.Max), PreRoll: given("pre-roll", &c.PreRoll), PostRoll: given("post-roll", &c.PostRoll),
		Gap: given("gap", &c.Gap), Overlap: given("overlap", &c.Overlap), Threshold: &c.Threshold, Rise: &c.Rise, Silent: &c.Silent,
	}
	method := slice.Method(o.by)
	switch {
	case o.by == "table" && o.job.Table == "", o.by != "table" && o.job.Table != "":
		return usagef("--table and --by table belong together")
	case o.by == "table":
		method = slice.Length // Only --silent counts.
	case !slices.Contains(slice.Methods(), method):
		return usagef("--by is one of onset, silence, speech, length, table; not %q", o.by)
	}
	var err error
	if o.job.Config, err = over.Config(method); err == nil {
		err = o.job.Check()
	}
	if err != nil {
		return usagef("--%w", err)
	}
	return nil
}

func (a *app) slice(ctx context.Context, o sliceOptions) error {
	if err := o.settle(); err != nil {
		return err
	}
	var task *progress.Task
	summary, err := slice.Run(ctx, o.job, func(p slice.Progress) {
		if task == nil {
			task = a.console.Start("slice", max(1, p.Total>>10), "KiB")
		}
		task.Note("%d clips, %d of %d files", p.Clips, p.Number, p.Files)
		task.Set(p.Bytes >> 10)
	})
	if task != nil {
		task.End(err)
	}
	if summary.Out == "" { // It ended before it began to cut.
		return err
	}
	if err != nil && !o.asJSON {
		return err
	}
	return errors.Join(err, a.printResult(o.asJSON, summary))
}
