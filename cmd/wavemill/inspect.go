package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"wavemill/audio/measure"
	"wavemill/models"
	"wavemill/models/training"
)

// inspectFlags are the flags of `wavemill inspect`.
type inspectFlags struct{ heldOut, full, asJSON bool }

func newInspect(a *app) *cobra.Command {
	var o inspectFlags
	cmd := &cobra.Command{
		Use:   "inspect FILE...",
		Short: "Print what an audio file or a checkpoint contains",
		Long: `Inspect prints the format and levels of audio files, and the architecture, labels,
front end, training and recordings of checkpoints. Of a recording of more than five
minutes it reads the header only, unless --full is given. With --held-out it lists
the recordings that a checkpoint was not trained on.`,
		Example: `  wavemill inspect recording.flac
  wavemill inspect --json model.safetensors
  wavemill inspect --held-out model.safetensors`,
		Args: needArgs("a file to inspect"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var errs []error
			for _, path := range args {
				errs = append(errs, a.inspect(cmd.Context(), path, o))
			}
			return errors.Join(errs...)
		},
	}
	cmd.Flags().BoolVar(&o.heldOut, "held-out", false, "list the recordings that a checkpoint was not trained on")
	cmd.Flags().BoolVar(&o.full, "full", false, "decode and measure recordings of any length")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print one line of JSON for each file")
	return cmd
}

func (a *app) inspect(ctx context.Context, path string, o inspectFlags) error {
	switch {
	case strings.HasSuffix(path, ".safetensors"):
		return a.inspectCheckpoint(path, o)
	case o.heldOut:
		return usagef("--held-out is for checkpoints, such as model.safetensors; not for %s", path)
	}
	if info, err := os.Stat(path); err != nil {
		return err
	} else if info.IsDir() {
		return fmt.Errorf("%s is a folder; inspect takes files", path)
	}
	task := a.console.Start("inspect", 0, "frames")
	defer task.Cancel()
	facts, err := measure.File(ctx, path, measure.Options{Full: o.full, OnProgress: task.Of})
	if err != nil {
		return err
	}
	return a.printResult(o.asJSON, facts)
}

func (a *app) inspectCheckpoint(path string, o inspectFlags) error {
	c, err := models.Read(path)
	if err != nil {
		return err
	}
	facts, err := training.Describe(path, c)
	switch {
	case err != nil:
		return err
	case o.heldOut && c.Data == nil:
		return fmt.Errorf("%s does not record which recordings were held out: it was made by an earlier version, or trained further from a checkpoint of one", path)
	case o.heldOut && o.asJSON:
		return a.printJSON(struct {
			HeldOut []training.HeldOut `json:"held_out"`
		}{training.HeldOutOf(c)})
	case o.heldOut:
		return facts.WriteHeldOut(a.out, training.HeldOutOf(c))
	}
	return a.printResult(o.asJSON, facts)
}
