package training

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/eval"
	"wavemill/models/frontend"
)

// A Plan describes what a front end does to recordings.
type Plan struct {
	FrontEnd models.FrontEnd `json:"front_end"`
	Channels int             `json:"channels"` // of the model: 1 or 2
	Seconds  float64         `json:"seconds"`  // that a clip may have
	Labels   int             `json:"labels"`
	Clips    frontend.Tally  `json:"clips"`
	Ceiling  *Ceiling        `json:"ceiling,omitempty"` // nil: not measured
	Warnings []string        `json:"warnings"`
}

// PlanOptions say what MakePlan measures.
type PlanOptions struct {
	Ceiling    bool                // whether to measure the ceiling
	Classifier time.Duration       // as MeasureCeiling
	OnProgress func(eval.Progress) // as MeasureCeiling
}

// MakePlan counts what a front end does to recordings and, where wanted, measures its ceiling. The recordings must be
// usable, see Options.Select.
func MakePlan(ctx context.Context, fe models.FrontEnd, recordings []dataset.Recording, o PlanOptions) (Plan, error) {
	front, err := frontend.New(fe)
	if err != nil {
		return Plan{}, err
	}
	ids := dataset.Identities(recordings)
	all := canonical(ids)
	p := Plan{
		FrontEnd: fe, Channels: front.Channels(), Seconds: front.Duration().Seconds(), Labels: len(labelsOf(ids, all)),
		Clips: front.Tally(clipsAt(recordings, all)), Warnings: []string{},
	}
	if !o.Ceiling {
		return p, nil
	}
	c, err := MeasureCeiling(ctx, fe, recordings, o.Classifier, o.OnProgress)
	if err != nil {
		return p, err
	}
	p.Ceiling = &c
	p.Warnings = append(p.Warnings, c.Warnings(fe)...)
	p.Warnings = append(p.Warnings, c.labelWarning(fe, p.Labels, p.Clips.Stereo)...)
	return p, nil
}

// String returns the Lines as a text.
func (p Plan) String() string { return strings.Join(p.Lines(), "\n") }

// Lines are the plan for a person, aligned.
func (p Plan) Lines() []string {
	s := p.FrontEnd.Spectrogram
	ms := func(samples int) float64 { return 1000 * float64(samples) / float64(s.SampleRate) }
	top := s.FMax
	if top == 0 || s.Scale != "mel" {
		top = float64(s.SampleRate) / 2
	}
	trim := fmt.Sprintf("silence below %.0f dB trimmed from %s", p.FrontEnd.TrimDB, thousands(p.Clips.Trimmed))
	if p.FrontEnd.TrimDB == 0 {
		trim = "silence is kept"
	}
	labels := strconv.Itoa(p.Labels) + " labels"
	if p.Labels == 1 {
		labels = "1 label"
	}
	narrow := ""
	if s.Scale == "mel" && s.Knee > 0 {
		narrow = fmt.Sprintf(", one per bin of the transform below %.0f Hz", s.Knee)
	}
	lines := []string{
		fmt.Sprintf("plan      %d Hz, frames of %d samples (%.3g ms), hop %d (%.3g ms), %d %s bins up to %.0f Hz%s", s.SampleRate, s.NFFT, ms(s.NFFT), s.Hop, ms(s.Hop), s.Bins(), s.Scale, top, narrow),
		fmt.Sprintf("          %d frames: clips of up to %.2f s; values from %.0f to %.0f dB", p.FrontEnd.Frames, p.Seconds, s.Min*decibels, s.Max*decibels),
		fmt.Sprintf("clips     %s of %s: %s cut, %s padded, %s resampled, %s mixed down", thousands(p.Clips.Clips), labels,
			thousands(p.Clips.Cut), thousands(p.Clips.Padded), thousands(p.Clips.Resampled), thousands(p.Clips.MixedDown)),
		"          " + trim + omitted(p.Clips),
	}
	lines = append(lines, p.channelLines()...)
	if c := p.Ceiling; c != nil {
		lines = append(lines, fmt.Sprintf("ceiling   a round trip changes spectra by %.1f dB; SNR of magnitudes %.1f dB, of samples %.1f dB (%d clips)", c.LogSpectral, c.SpectralSNR, c.SNR, c.Ceiling.Clips))
		if s := c.Sound; s != nil {
			lines = append(lines, soundLines(*s)...)
		}
		lines = append(lines, imageLines(c.Image)...)
		if l := c.Classifier; l != nil {
			lines = append(lines, fmt.Sprintf("          a classifier recognises %.1f %% of %d other recordings, %.1f %% after the round trip (%.0f s)", 100*l.Real, l.Clips, 100*l.RoundTrip, l.Seconds))
		}
	}
	for _, w := range p.Warnings {
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

// thousands writes a number with a comma after each three digits.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
