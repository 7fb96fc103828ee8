// Package measure reports the format, level and bandwidth of audio files of any length: they are decoded block by block,
// so that memory does not grow with them.
package measure

import (
	"context"
	"errors"
	"io"
	"math"

	"wavemill/audio"
	"wavemill/audio/codec"
)

// A Report describes an audio file.
type Report struct {
	File       string            `json:"file"`
	Format     string            `json:"format"`
	Encoding   string            `json:"encoding"`
	SampleRate int               `json:"sample_rate"` // Hz
	Channels   int               `json:"channels"`
	Frames     int64             `json:"frames"`
	Duration   float64           `json:"duration"`  // seconds
	Peak       float64           `json:"peak"`      // largest absolute sample; 1 is full scale
	RMS        float64           `json:"rms"`       // of all channels
	Bandwidth  float64           `json:"bandwidth"` // Hz below which 99.9 % of the power lies; see audio.Bandwidth
	Truncated  bool              `json:"truncated,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
	Notes      []string          `json:"notes,omitempty"` // what is unusual about the file
}

// blockFrames is how many frames are decoded at a time.
const blockFrames = 1 << 14

// File decodes a file and measures it. The bandwidth is that of the middle of the signal, of at most as much as
// audio.Bandwidth uses. It reads any format of package codec.
func File(ctx context.Context, path string) (Report, error) {
	r, err := codec.Open(ctx, path)
	if err != nil {
		return Report{}, err
	}
	defer r.Close()
	channels := r.Info().Channels
	block, mono := make([]float32, blockFrames*channels), make([]float32, blockFrames)
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
			return Report{}, err
		}
	}
	info := r.Info() // final after the last frame
	report := Report{
		File: path, Format: info.Format, Encoding: info.Encoding, SampleRate: info.SampleRate, Channels: info.Channels,
		Frames: info.Frames, Duration: float64(info.Frames) / float64(info.SampleRate), Peak: peak,
		Bandwidth: audio.Bandwidth(audio.Clip{Samples: middle.samples, Channels: 1, Rate: info.SampleRate}),
		Truncated: info.Truncated, Tags: info.Tags, Notes: info.Notes,
	}
	if samples > 0 {
		report.RMS = math.Sqrt(energy / float64(samples))
	}
	return report, ctx.Err()
}

// A middle keeps the middle of a signal, as much of it as audio.Bandwidth uses.
type middle struct {
	skip    int64 // samples still to pass over
	samples []float32
}

// middleSamples is how much of a long clip audio.Bandwidth uses.
const middleSamples = 1 << 20

// newMiddle prepares for a signal of so many frames. Where the number is not known, it keeps the beginning.
func newMiddle(frames int64) *middle { return &middle{skip: max(0, (frames-middleSamples)/2)} }

func (m *middle) add(x []float32) {
	pass := min(m.skip, int64(len(x)))
	m.skip -= pass
	x = x[pass:]
	m.samples = append(m.samples, x[:min(len(x), middleSamples-len(m.samples))]...)
}
