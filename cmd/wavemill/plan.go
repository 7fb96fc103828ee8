package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/spf13/cobra"

	"wavemill/models"
	"wavemill/models/frontend"
)

// planOptions are the flags of `wavemill plan`.
type planOptions struct {
	data   []string
	labels string
	front  frontOptions
	asJSON bool
}

func newPlan(a *app) *cobra.Command {
	var o planOptions
	cmd := &cobra.Command{
		Use:   "plan --data DIR",
		Short: "Say how recordings would become spectrograms, and what is lost on the way",
		Long: `Plan chooses the front end for recordings as "wavemill train" does, prints it, and
sends recordings through it and back: the ceiling, which no model behind it can beat.

The log-spectral distance and the SNR of the magnitudes do not care about phases; the
SNR of the samples does, and is low where nobody hears a difference. A classifier
trained on nine tenths of the recordings names the labels of the others before and
after the round trip; --ceiling fast leaves it out.`,
		Example: `  wavemill plan --data recordings/
  wavemill plan --data recordings/ --mels 128 --ceiling fast
  wavemill plan --data recordings/ --json > plan.json
  wavemill train --data recordings/ --front-end plan.json --out model.safetensors`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.plan(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.data, "data", nil, "folder or file with recordings; may be repeated (required)")
	o.front.add(cmd)
	f.BoolVar(&o.asJSON, "json", false, "print the plan as one line of JSON")
	addLabels(cmd, &o.labels)
	return cmd
}

func (a *app) plan(ctx context.Context, o planOptions) error {
	if len(o.data) == 0 {
		return usagef("--data is missing: a folder with recordings")
	}
	if err := o.front.check(); err != nil {
		return err
	}
	set, err := a.scan(ctx, o.data, o.labels)
	if err != nil {
		return err
	}
	all, err := a.decodeAll(ctx, set.Items)
	if err != nil {
		return err
	}
	recordings := good(all)
	if len(recordings) == 0 {
		return errors.New("none of the recordings can be used")
	}
	fe, err := o.front.frontEnd(recordings)
	if err != nil {
		return err
	}
	classifier := time.Duration(-1)
	if o.front.ceiling == ceilingFast {
		classifier = 0
	}
	r, err := a.planReport(ctx, fe, recordings, o.front.ceiling != ceilingOff, classifier)
	if err != nil {
		return err
	}
	if o.asJSON {
		return a.printJSON(r)
	}
	for _, line := range r.lines() {
		if err := a.say("%s", line); err != nil {
			return err
		}
	}
	return nil
}

// A planReport is what plan prints.
type planReport struct {
	FrontEnd models.FrontEnd `json:"front_end"`
	Seconds  float64         `json:"seconds"` // that a clip may have
	Labels   int             `json:"labels"`
	Clips    frontend.Tally  `json:"clips"`
	Ceiling  *ceiling        `json:"ceiling,omitempty"`
	Warnings []string        `json:"warnings"`
}

// planReport counts what a front end does to recordings and, where wanted, measures its ceiling.
func (a *app) planReport(ctx context.Context, fe models.FrontEnd, recordings []recording, measure bool, classifier time.Duration) (planReport, error) {
	front, err := frontend.New(fe)
	if err != nil {
		return planReport{}, err
	}
	r := planReport{
		FrontEnd: fe, Seconds: front.Duration().Seconds(), Labels: len(labelNames(recordings)),
		Clips: front.Tally(clipsOf(recordings)), Warnings: []string{},
	}
	if !measure {
		return r, nil
	}
	c, err := a.measureCeiling(ctx, fe, recordings, classifier)
	if err != nil {
		return r, err
	}
	r.Ceiling = &c
	r.Warnings = append(r.Warnings, c.warnings(fe)...)
	return r, nil
}

// showPlan notes the plan and its ceiling before a training.
func (a *app) showPlan(ctx context.Context, o frontOptions, fe models.FrontEnd, recordings []recording, budget time.Duration) error {
	r, err := a.planReport(ctx, fe, recordings, o.ceiling != ceilingOff, o.classifierTime(budget))
	if err != nil {
		return err
	}
	for _, line := range r.lines() {
		a.note("%s", line)
	}
	return nil
}

// lines are the report for a person, aligned.
func (r planReport) lines() []string {
	s := r.FrontEnd.Spectrogram
	ms := func(samples int) float64 { return 1000 * float64(samples) / float64(s.SampleRate) }
	top := s.FMax
	if top == 0 || s.Scale != "mel" {
		top = float64(s.SampleRate) / 2
	}
	trim := fmt.Sprintf("silence below %.0f dB trimmed from %s", r.FrontEnd.TrimDB, thousands(r.Clips.Trimmed))
	if r.FrontEnd.TrimDB == 0 {
		trim = "silence is kept"
	}
	lines := []string{
		fmt.Sprintf("plan      %d Hz, frames of %d samples (%.3g ms), hop %d (%.3g ms), %d %s bins up to %.0f Hz", s.SampleRate, s.NFFT, ms(s.NFFT), s.Hop, ms(s.Hop), s.Bins(), s.Scale, top),
		fmt.Sprintf("          %d frames: clips of up to %.2f s; values from %.0f to %.0f dB", r.FrontEnd.Frames, r.Seconds, s.Min*decibels, s.Max*decibels),
		fmt.Sprintf("clips     %s of %s: %s cut, %s padded, %s resampled, %s mixed down", thousands(r.Clips.Clips), count(r.Labels, "label", "labels"),
			thousands(r.Clips.Cut), thousands(r.Clips.Padded), thousands(r.Clips.Resampled), thousands(r.Clips.MixedDown)),
		"          " + trim + omitted(r.Clips),
	}
	if c := r.Ceiling; c != nil {
		lines = append(lines, fmt.Sprintf("ceiling   a round trip changes spectra by %.1f dB; SNR of magnitudes %.1f dB, of samples %.1f dB (%d clips)", c.LogSpectral, c.SpectralSNR, c.SNR, c.Ceiling.Clips))
		if l := c.Classifier; l != nil {
			lines = append(lines, fmt.Sprintf("          a classifier names %.1f %% of %d other recordings, %.1f %% after the round trip (%.0f s)", 100*l.Real, l.Clips, 100*l.RoundTrip, l.Seconds))
		}
	}
	for _, w := range r.Warnings {
		lines = append(lines, "warning   "+w)
	}
	return lines
}

// decibels in a neper of amplitude.
const decibels = 20 / math.Ln10

// omitted says which clips are left out, if any.
func omitted(t frontend.Tally) string {
	text := ""
	if t.Silent > 0 {
		text += fmt.Sprintf("; %s silent and left out", thousands(t.Silent))
	}
	if t.Unusable > 0 {
		text += fmt.Sprintf("; %s unusable and left out", thousands(t.Unusable))
	}
	return text
}
