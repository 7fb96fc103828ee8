package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"wavemill/audio/dataset"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

func newSubscribe(a *app) *cobra.Command {
	var bus busFlags
	var o subscribeOptions
	cmd := &cobra.Command{
		Use:   "subscribe --out DIR",
		Short: "Save generated clips from the bus",
		Long: `Subscribe saves generated clips as they arrive on <pipeline>.clip.<label>, one WAV
file each. It runs until it has --count of them or is interrupted.`,
		Example: `  wavemill subscribe --label three --out clips
  wavemill subscribe --label three --out clips --all --count 10`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.subscribe(cmd.Context(), &bus, o) },
	}
	bus.add(cmd.Flags())
	f := cmd.Flags()
	f.StringVar(&o.label, "label", "", "the label of the clips to save (default: all labels)")
	f.StringVar(&o.out, "out", "", "folder for the clips; it is created if necessary (required)")
	f.IntVar(&o.count, "count", 0, "stop after so many clips (default: go on until interrupted)")
	f.BoolVar(&o.all, "all", false, "start with the clips that the bus has stored, not with the next one")
	f.BoolVar(&o.asJSON, "json", false, "print one line of JSON for each clip")
	return cmd
}

type subscribeOptions struct {
	label, out  string
	count       int
	all, asJSON bool
}

// savedClip is a generated clip on disk, as --json prints it and clips.jsonl keeps it.
type savedClip struct {
	File       string   `json:"file"`
	Label      string   `json:"label"`
	Seed       uint64   `json:"seed"`
	Confidence *float64 `json:"confidence"` // null where no classifier has checked the clip
	Heard      string   `json:"heard,omitempty"`
	Model      string   `json:"model,omitempty"`
}

func (a *app) subscribe(ctx context.Context, flags *busFlags, o subscribeOptions) (err error) {
	if o.out == "" {
		return usagef("--out is missing: the folder for the clips")
	}
	if o.count < 0 {
		return usagef("--count %d is negative", o.count)
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	bus, err := openClient(ctx, a, flags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBus(ctx, bus)) }()

	what := pipeline.Subscription{Stream: pipeline.TypeClip, Label: o.label}
	if o.all {
		what.From = 1
	}
	task := a.console.Start("receive", int64(o.count), "clips")
	defer task.Done()
	saved := 0
	for m, err := range bus.Messages(ctx, what) {
		if err != nil {
			if ctx.Err() != nil {
				break
			}
			a.log.Warn("a clip could not be read", "error", err)
			continue
		}
		clip, err := saveClip(o.out, m)
		if err != nil {
			return err
		}
		saved++
		task.Add(1)
		if o.asJSON {
			err = a.printJSON(clip)
		} else {
			err = a.say("%s", clip.File)
		}
		if err != nil {
			return err
		}
		if saved == o.count {
			return nil
		}
	}
	if o.count > 0 {
		return fmt.Errorf("subscribe: interrupted after %d of %d clips", saved, o.count)
	}
	return nil // Ctrl-C is how an endless subscription ends.
}

// saveClip writes a clip as <label>_<sequence>.wav: the stream's sequence makes the name unique and the same every time.
func saveClip(dir string, m *pipeline.Message) (savedClip, error) {
	path := filepath.Join(dir, fmt.Sprintf("%s_%06d.wav", dataset.FileSlug(m.Label), m.Sequence))
	if err := writeFile(path, m.Body); err != nil {
		return savedClip{}, err
	}
	clip := savedClip{File: path, Label: m.Label, Model: m.Header[header.Model]}
	// Clips of other programs may have no seed or confidence.
	clip.Seed, _ = strconv.ParseUint(m.Header[header.Seed], 10, 64)
	if c, err := strconv.ParseFloat(m.Header[header.Confidence], 64); err == nil {
		clip.Confidence = &c
	}
	return clip, nil
}
