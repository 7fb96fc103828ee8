package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/frontend"
)

// frontOptions are the flags that decide the front end instead of the plan, and how its ceiling is measured.
type frontOptions struct {
	file     string
	override frontend.Overrides
	ceiling  string
}

// Values of --ceiling.
const (
	ceilingAuto = "auto" // with the classifier where the budget has room for it
	ceilingFull = "full" // with the classifier
	ceilingFast = "fast" // without
	ceilingOff  = "off"
)

func (o *frontOptions) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.file, "front-end", "", "JSON file with the front end to use instead of a planned one, such as \"front_end\" of \"wavemill plan --json\"")
	f.IntVar(&o.override.NFFT, "n-fft", 0, "samples in a frame (default: planned)")
	f.IntVar(&o.override.Hop, "hop", 0, "samples between frames (default: planned; with --n-fft in proportion)")
	f.IntVar(&o.override.Mels, "mels", 0, "mel filters, a multiple of 16 (default: planned)")
	f.IntVar(&o.override.Frames, "frames", 0, "frames of a clip, a multiple of 16 (default: planned)")
	f.StringVar(&o.ceiling, "ceiling", ceilingAuto, "what to measure of the front end's ceiling: auto, full (with a classifier), fast (without), off")
}

func (o *frontOptions) check() error {
	v := o.override
	switch {
	case v.NFFT < 0 || v.Hop < 0 || v.Mels < 0 || v.Frames < 0:
		return usagef("--n-fft, --hop, --mels and --frames must not be negative")
	case v.Mels%16 != 0 || v.Frames%16 != 0:
		return usagef("--mels and --frames must be multiples of 16: the networks halve both four times")
	case !slices.Contains([]string{ceilingAuto, ceilingFull, ceilingFast, ceilingOff}, o.ceiling):
		return usagef("--ceiling is one of auto, full, fast, off; not %q", o.ceiling)
	}
	return nil
}

// frontEnd plans the front end for recordings, or reads it, and applies the flags.
func (o *frontOptions) frontEnd(recordings []dataset.Recording) (models.FrontEnd, error) {
	clips := dataset.Clips(recordings)
	if o.file != "" {
		fe, err := readFrontEnd(o.file)
		if err != nil {
			return fe, fmt.Errorf("--front-end: %w", err)
		}
		return o.usable(o.override.Apply(fe))
	}
	fe := frontend.SurveyOf(clips).Plan()
	return o.usable(frontend.Level(o.override.Apply(fe), clips))
}

// agrees returns a usage error where the flags ask for another front end than that of a checkpoint.
func (o *frontOptions) agrees(fe models.FrontEnd) error {
	asked := fe
	if o.file != "" {
		var err error
		if asked, err = readFrontEnd(o.file); err != nil {
			return fmt.Errorf("--front-end: %w", err)
		}
		asked = o.override.Apply(asked)
	} else {
		v, c := o.override, fe.Spectrogram
		given := frontend.Overrides{
			NFFT: cmp.Or(v.NFFT, c.NFFT), Hop: cmp.Or(v.Hop, c.Hop), Mels: cmp.Or(v.Mels, c.Mels), Frames: cmp.Or(v.Frames, fe.Frames),
		}
		asked.Spectrogram.NFFT, asked.Spectrogram.Hop, asked.Spectrogram.Mels, asked.Frames = given.NFFT, given.Hop, given.Mels, given.Frames
	}
	if asked != fe {
		return usagef("--resume keeps the front end of the checkpoint (--n-fft %d --hop %d --mels %d --frames %d); another one needs a new training",
			fe.Spectrogram.NFFT, fe.Spectrogram.Hop, fe.Spectrogram.Mels, fe.Frames)
	}
	return nil
}

// classifierTime is how long the classifier of the ceiling may be trained: 0 for not at all, negative for no limit.
func (o *frontOptions) classifierTime(budget time.Duration) time.Duration {
	switch o.ceiling {
	case ceilingFull:
		return -1
	case ceilingAuto:
		if t := time.Duration(ceilingShare * float64(budget)); t >= ceilingLeast {
			return t
		}
	}
	return 0
}

// ceilingShare is the most that the classifier of the ceiling may take of a budget, and ceilingLeast the least time in which
// it learns enough to be of use.
const (
	ceilingShare = 0.05
	ceilingLeast = 15 * time.Second
)

// usable returns fe, or what is wrong with it.
func (o *frontOptions) usable(fe models.FrontEnd) (models.FrontEnd, error) {
	if _, err := frontend.New(fe); err != nil {
		return fe, usageError{Err: err}
	}
	return fe, nil
}

// readFrontEnd reads the JSON of a front end. An object that has one as "front_end", such as the output of plan or of
// inspect, does as well.
func readFrontEnd(path string) (models.FrontEnd, error) {
	var fe models.FrontEnd
	text, err := os.ReadFile(path)
	if err != nil {
		return fe, err
	}
	var outer struct {
		FrontEnd json.RawMessage `json:"front_end"`
	}
	if err := json.Unmarshal(text, &outer); err == nil && len(outer.FrontEnd) > 0 {
		text = outer.FrontEnd
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&fe); err != nil {
		return fe, fmt.Errorf("%s: %w", path, err)
	}
	return fe, nil
}
