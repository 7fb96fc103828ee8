package main

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"wavemill/audio"
	"wavemill/audio/spectrogram"
	"wavemill/audio/wav"
	page "wavemill/cmd/wavemill/comparison"
	"wavemill/cmd/wavemill/report"
	"wavemill/models/comparison"
	"wavemill/models/eval"
	"wavemill/models/frontend"
)

// What the page shows: the file should open at once.
const (
	comparedShown = 3  // sounds of each model and label
	comparedMost  = 16 // labels
)

// comparedLabels returns the sounds of the page: held-out recordings, and of each model the first clips of each label
// with the training recordings that they are nearest to.
func comparedLabels(r eval.Report, d comparison.Data, candidates []*candidate) ([]page.Label, error) {
	front, err := frontend.New(candidates[0].Checkpoint.FrontEnd)
	if err != nil {
		return nil, err
	}
	var out []page.Label
	for l, name := range r.Labels[:min(len(r.Labels), comparedMost)] {
		label := page.Label{Name: name}
		for _, c := range firstOf(d.HeldOut, name) {
			sound, err := picture(front, d.HeldOut[c], d.HeldOut[c].Source)
			if err != nil {
				return nil, err
			}
			label.Real = append(label.Real, sound)
		}
		for _, c := range candidates {
			sounds := page.Sounds{Model: c.Name}
			for _, i := range firstOf(c.Clips, name) {
				sound, err := picture(front, c.Clips[i], fmt.Sprintf("clip %d", i))
				if err != nil {
					return nil, err
				}
				sound.Detail, sound.Doubted = "classified as "+r.Labels[c.Row.Predicted[i]], c.Row.Predicted[i] != l
				near := d.Learn[c.Row.Memorisation.Nearest[i]]
				nearest, err := picture(front, near, "nearest: "+near.Source)
				if err != nil {
					return nil, err
				}
				nearest.Detail = fmt.Sprintf("%.2f of the usual distance", c.Row.Memorisation.Ratios[i])
				sounds.Clips = append(sounds.Clips, page.Clip{Sound: sound, Nearest: nearest})
			}
			label.Models = append(label.Models, sounds)
		}
		out = append(out, label)
	}
	return out, nil
}

// firstOf returns the indices of the first clips of a label that are shown.
func firstOf(clips []audio.Clip, label string) []int {
	var out []int
	for i, c := range clips {
		if c.Label == label && len(out) < comparedShown {
			out = append(out, i)
		}
	}
	return out
}

// picture turns a clip into what a page embeds. A silent one has no picture.
func picture(front *frontend.FrontEnd, c audio.Clip, name string) (report.Sound, error) {
	s := report.Sound{Name: name}
	var err error
	if s.WAV, err = wav.Encode(c, wav.Options{}); err != nil {
		return s, err
	}
	spec, _, err := front.Analyze(c)
	if errors.Is(err, frontend.ErrSilent) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("%s: %w", name, err)
	}
	// The loudest 60 dB of each clip, so that a quiet recording is as visible as a loud one.
	high := slices.Max(spec.Data)
	low := slices.Min(spec.Data)
	if c := spec.Config; c.Value == spectrogram.ValueLog && c.Max > c.Min {
		low = high - float32(2*math.Log(1000)/(c.Max-c.Min))
	}
	s.PNG, err = report.Thumbnail(spec.Data, spec.Frames, spec.Bins, low, high)
	return s, err
}
