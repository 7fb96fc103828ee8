package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"wavemill/operators/files"
	"wavemill/pipeline"
)

func newSubscribe(a *app) *cobra.Command {
	var bus busFlags
	var o files.SaveOptions
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "subscribe --out DIR",
		Short: "Save generated clips from the bus",
		Long: `Subscribe saves generated clips as they arrive on <pipeline>.clip.<label>, one WAV
file each. It runs until it has --count of them or is interrupted.`,
		Example: `  wavemill subscribe --label three --out clips
  wavemill subscribe --label three --out clips --all --count 10`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.subscribe(cmd.Context(), &bus, o, asJSON) },
	}
	bus.add(cmd.Flags())
	f := cmd.Flags()
	f.StringVar(&o.Label, "label", "", "the label of the clips to save (default: all labels)")
	f.StringVar(&o.Dir, "out", "", "folder for the clips; it is created if necessary (required)")
	f.IntVar(&o.Count, "count", 0, "stop after this many clips (default: go on until interrupted)")
	f.BoolVar(&o.Stored, "all", false, "start with the clips that the bus has stored, not with the next one")
	f.BoolVar(&asJSON, "json", false, "print one line of JSON for each clip")
	return cmd
}

func (a *app) subscribe(ctx context.Context, flags *busFlags, o files.SaveOptions, asJSON bool) (err error) {
	if o.Count < 0 {
		return usagef("--count %d is negative", o.Count)
	}
	bus, err := openClient(ctx, a, flags, pipeline.TypeClip)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBus(ctx, bus)) }()

	task := a.console.Start("receive", int64(o.Count), "clips")
	defer task.Done()
	o.OnError = func(err error) { a.log.Warn("a clip could not be read", "error", err) }
	_, err = files.SaveAll(ctx, bus, o, func(c files.Clip) error {
		task.Add(1)
		return a.printResult(asJSON, c)
	})
	return err
}
