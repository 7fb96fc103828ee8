// Package inspect measures audio files: format, length, levels and bandwidth. It decodes block by block, so that a file may
// be longer than memory.
package inspect

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

// Facts describe an audio file. As JSON they are a line of `wavemill inspect --json`.
type Facts struct {
	File       string            `json:"file"` // path
	Format     string            `json:"format"`
	Encoding   string            `json:"encoding"`
	SampleRate int               `json:"sample_rate"`
	Channels   int               `json:"channels"`
	Frames     int64             `json:"frames"`    // samples per channel
	Duration   float64           `json:"duration"`  // in seconds
	Peak       float64           `json:"peak"`      // largest absolute sample; 1 is full scale
	RMS        float64           `json:"rms"`       // over all channels
	Bandwidth  float64           `json:"bandwidth"` // Hz below which 99.9 % of the power lies, see audio.Bandwidth
	Truncated  bool              `json:"truncated,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
	Notes      []string          `json:"notes,omitempty"` // peculiarities that the decoder met
}

// blockFrames is how many frames are decoded at a time.
const blockFrames = 1 << 14

// File decodes a file and measures it. Errors are those of codec.Open and of reading; a folder is an error.
func File(ctx context.Context, path string) (Facts, error) {
	if info, err := os.Stat(path); err != nil {
		return Facts{}, err
	} else if info.IsDir() {
		return Facts{}, fmt.Errorf("%s is a folder; inspect takes files", path)
	}
	r, err := codec.Open(ctx, path)
	if err != nil {
		return Facts{}, err
	}
	defer r.Close()
	m := newMeter(r.Info())
	for {
		if err := ctx.Err(); err != nil {
			return Facts{}, err
		}
		n, err := r.ReadFrames(m.block)
		m.measure(n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Facts{}, err
		}
	}
	info := r.Info() // The number of frames is final now.
	return Facts{
		File: path, Format: info.Format, Encoding: info.Encoding, SampleRate: info.SampleRate, Channels: info.Channels,
		Frames: info.Frames, Duration: float64(info.Frames) / float64(info.SampleRate), Peak: m.peak, RMS: m.rms(),
		Bandwidth: audio.Bandwidth(audio.Clip{Samples: m.middle.samples, Channels: 1, Rate: info.SampleRate}),
		Truncated: info.Truncated, Tags: info.Tags, Notes: info.Notes,
	}, nil
}

// String describes the file in several lines, without a final newline.
func (f Facts) String() string {
	lines := []string{
		fmt.Sprintf("%s: %s (%s)", f.File, f.Format, f.Encoding),
		fmt.Sprintf("  %d Hz, %d channels, %d frames, %.3f s", f.SampleRate, f.Channels, f.Frames, f.Duration),
		fmt.Sprintf("  peak %.4f (%s), rms %.4f (%s), bandwidth %.0f Hz", f.Peak, level(f.Peak), f.RMS, level(f.RMS), f.Bandwidth),
	}
	for _, tag := range slices.Sorted(maps.Keys(f.Tags)) {
		lines = append(lines, fmt.Sprintf("  %s: %s", tag, f.Tags[tag]))
	}
	if f.Truncated {
		lines = append(lines, "  truncated: the file ends before the data that its header declares")
	}
	for _, n := range f.Notes {
		lines = append(lines, "  "+n)
	}
	return strings.Join(lines, "\n")
}

// level prints an amplitude in decibels below full scale.
func level(v float64) string {
	if v <= 0 || math.IsNaN(v) {
		return "silent"
	}
	return fmt.Sprintf("%.1f dBFS", audio.Decibels(v))
}

// A meter measures a signal block by block.
type meter struct {
	channels, rate int
	block          []float32 // interleaved frames, filled by the caller
	mono           []float32
	peak, energy   float64
	samples        int64
	middle         middle
}

func newMeter(info codec.Info) *meter {
	return &meter{
		channels: info.Channels, rate: info.SampleRate,
		block: make([]float32, blockFrames*info.Channels), mono: make([]float32, blockFrames),
		// Where the number of frames is not known, the beginning is kept.
		middle: middle{skip: max(0, (info.Frames-middleFrames)/2)},
	}
}

// measure takes the first frames of the block.
func (m *meter) measure(frames int) {
	part := audio.Clip{Samples: m.block[:frames*m.channels], Channels: m.channels, Rate: m.rate}
	rms := part.RMS()
	m.peak, m.energy = max(m.peak, part.Peak()), m.energy+rms*rms*float64(len(part.Samples))
	m.samples += int64(len(part.Samples))
	m.middle.add(m.mono[:audio.MixDown(m.mono, part.Samples, m.channels)])
}

func (m *meter) rms() float64 {
	if m.samples == 0 {
		return 0
	}
	return math.Sqrt(m.energy / float64(m.samples))
}

// middleFrames is how much of a long clip audio.Bandwidth uses.
const middleFrames = 1 << 20

// middle keeps the middle of a signal, as much of it as audio.Bandwidth uses.
type middle struct {
	skip    int64 // samples that come before it
	samples []float32
}

func (m *middle) add(x []float32) {
	pass := min(m.skip, int64(len(x)))
	m.skip -= pass
	x = x[pass:]
	m.samples = append(m.samples, x[:min(len(x), middleFrames-len(m.samples))]...)
}
