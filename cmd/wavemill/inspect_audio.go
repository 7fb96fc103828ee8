package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"

	"wavemill/audio"
	"wavemill/audio/codec"
)

// audioFacts is what inspect prints about an audio file.
type audioFacts struct {
	File       string            `json:"file"`
	Format     string            `json:"format"`
	Encoding   string            `json:"encoding"`
	SampleRate int               `json:"sample_rate"`
	Channels   int               `json:"channels"`
	Frames     int64             `json:"frames"`
	Duration   float64           `json:"duration"` // in seconds
	Peak       float64           `json:"peak"`
	RMS        float64           `json:"rms"`
	Bandwidth  float64           `json:"bandwidth"` // Hz below which 99.9 % of the power lies
	Truncated  bool              `json:"truncated,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
	Notes      []string          `json:"notes,omitempty"`
}

func (a *app) inspectAudio(ctx context.Context, path string, asJSON bool) error {
	if info, err := os.Stat(path); err != nil {
		return err
	} else if info.IsDir() {
		return fmt.Errorf("%s is a folder; inspect takes files", path)
	}
	facts, err := measure(ctx, path)
	if err != nil {
		return err
	}
	if asJSON {
		return a.printJSON(facts)
	}
	lines := []string{
		fmt.Sprintf("%s: %s (%s)", path, facts.Format, facts.Encoding),
		fmt.Sprintf("  %d Hz, %d channels, %d frames, %.3f s", facts.SampleRate, facts.Channels, facts.Frames, facts.Duration),
		fmt.Sprintf("  peak %.4f (%s), rms %.4f (%s), bandwidth %.0f Hz", facts.Peak, level(facts.Peak), facts.RMS, level(facts.RMS), facts.Bandwidth),
	}
	for _, tag := range slices.Sorted(maps.Keys(facts.Tags)) {
		lines = append(lines, fmt.Sprintf("  %s: %s", tag, facts.Tags[tag]))
	}
	if facts.Truncated {
		lines = append(lines, "  truncated: the file ends before the data that its header declares")
	}
	for _, n := range facts.Notes {
		lines = append(lines, "  "+n)
	}
	return a.say("%s", strings.Join(lines, "\n"))
}

// measure decodes a file of any length block by block and measures it.
func measure(ctx context.Context, path string) (audioFacts, error) {
	r, err := codec.Open(ctx, path)
	if err != nil {
		return audioFacts{}, err
	}
	defer r.Close()
	const frames = 1 << 14
	channels := r.Info().Channels
	block, mono := make([]float32, frames*channels), make([]float32, frames)
	middle := newMiddle(r.Info().Frames)
	var peak, energy float64
	var samples int64
	for ctx.Err() == nil {
		n, err := r.ReadFrames(block)
		part := audio.Clip{Samples: block[:n*channels], Channels: channels, Rate: r.Info().SampleRate}
		rms := part.RMS()
		peak, energy = max(peak, part.Peak()), energy+rms*rms*float64(len(part.Samples))
		samples += int64(len(part.Samples))
		middle.add(mono[:audio.MixDown(mono, part.Samples, channels)])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return audioFacts{}, err
		}
	}
	info := r.Info() // Final now.
	facts := audioFacts{
		File: path, Format: info.Format, Encoding: info.Encoding, SampleRate: info.SampleRate, Channels: info.Channels,
		Frames: info.Frames, Duration: float64(info.Frames) / float64(info.SampleRate), Peak: peak,
		Bandwidth: audio.Bandwidth(audio.Clip{Samples: middle.samples, Channels: 1, Rate: info.SampleRate}),
		Truncated: info.Truncated, Tags: info.Tags, Notes: info.Notes,
	}
	if samples > 0 {
		facts.RMS = math.Sqrt(energy / float64(samples))
	}
	return facts, ctx.Err()
}

// middle keeps the middle of a signal, as much of it as audio.Bandwidth uses.
type middle struct {
	skip    int64 // Samples still to pass.
	samples []float32
}

// newMiddle prepares for a signal of so many frames. Where the number is not known, it keeps the beginning.
func newMiddle(frames int64) *middle {
	return &middle{skip: max(0, (frames-middleSamples)/2)}
}

// middleSamples is how much of a long clip audio.Bandwidth uses.
const middleSamples = 1 << 20

func (m *middle) add(x []float32) {
	pass := min(m.skip, int64(len(x)))
	m.skip -= pass
	x = x[pass:]
	m.samples = append(m.samples, x[:min(len(x), middleSamples-len(m.samples))]...)
}

// level prints an amplitude in decibels below full scale.
func level(v float64) string {
	if v <= 0 || math.IsNaN(v) {
		return "silent"
	}
	return fmt.Sprintf("%.1f dBFS", audio.Decibels(v))
}
