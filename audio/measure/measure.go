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
	"wavemill/audio/stereo"
	"wavemill/audio/wav"
)

// A Report describes an audio file.
type Report struct {
	File       string  `json:"file"`
	Format     string  `json:"format"`
	Encoding   string  `json:"encoding"`
	SampleRate int     `json:"sample_rate"` // Hz
	Channels   int     `json:"channels"`
	Frames     int64   `json:"frames"`
	Duration   float64 `json:"duration"`  // seconds
	Peak       float64 `json:"peak"`      // largest absolute sample; 1 is full scale
	RMS        float64 `json:"rms"`       // of all channels
	Bandwidth  float64 `json:"bandwidth"` // Hz below which 99.9 % of the power lies; see audio.Bandwidth
	// Place is where the sound of two channels is; nil for other numbers of channels, and where it was not measured.
	Place *stereo.Place `json:"place,omitempty"`
	// Measured reports that the recording was decoded to its end. Otherwise Frames and Duration are what the header
	// declares (what was decoded, if it declares nothing), and Peak, RMS and Bandwidth are 0.
	Measured  bool              `json:"measured"`
	Truncated bool              `json:"truncated,omitempty"`
	Tags      map[string]string `json:"tags,omitempty"`
	Sampler   *wav.Sampler      `json:"sampler,omitempty"` // loops and note, of the smpl chunk of a WAV file
	Notes     []string          `json:"notes,omitempty"`   // what is unusual about the file
}

// blockFrames is how many frames are decoded at a time.
const blockFrames = 1 << 14

// Options says how much File does.
type Options struct {
	// Full decodes recordings of any length. Without it, of a recording of more than codec.MaxSeconds only the header is
	// read, and one whose header declares no length is decoded up to there.
	Full bool
	// OnProgress, where it is not nil, is called with the number of frames decoded and of those that the header declares,
	// -1 for none, after every block.
	OnProgress func(done, total int64)
}

// File measures a file: its format by its header, level and bandwidth by decoding it. The bandwidth is that of the middle
// of the signal, of at most as much as audio.Bandwidth uses. It reads any format of package codec.
func File(ctx context.Context, path string, o Options) (Report, error) {
	r, err := codec.Open(ctx, path)
	if err != nil {
		return Report{}, err
	}
	defer r.Close()
	head := r.Info()
	limit := int64(math.MaxInt64)
	if !o.Full {
		limit = int64(head.SampleRate) * codec.MaxSeconds
	}
	if head.Frames > limit {
		return report(path, head, head.Frames), nil
	}
	m := newMeter(head)
	for done := int64(0); ctx.Err() == nil; {
		n, err := r.ReadFrames(m.block)
		if err != nil && !errors.Is(err, io.EOF) {
			return Report{}, err
		}
		m.add(n)
		if done += int64(n); done > limit {
			return report(path, head, done), nil
		}
		if o.OnProgress != nil {
			o.OnProgress(done, head.Frames)
		}
		if err != nil {
			info := r.Info() // Final after the last frame.
			return m.measured(report(path, info, info.Frames)), nil
		}
	}
	return Report{}, ctx.Err()
}

// report describes the format of a file.
func report(path string, info codec.Info, frames int64) Report {
	return Report{
		File: path, Format: info.Format, Encoding: info.Encoding, SampleRate: info.SampleRate, Channels: info.Channels,
		Frames: frames, Duration: float64(frames) / float64(info.SampleRate),
		Truncated: info.Truncated, Tags: info.Tags, Sampler: info.Sampler, Notes: info.Notes,
	}
}

// meter measures blocks.
type meter struct {
	channels, rate int
	block, mono    []float32
	middle         *middle
	peak, energy   float64
	samples        int64
	place          stereo.Meter
}

func newMeter(head codec.Info) *meter {
	return &meter{
		channels: head.Channels, rate: head.SampleRate, middle: newMiddle(head.Frames),
		block: make([]float32, blockFrames*head.Channels), mono: make([]float32, blockFrames),
	}
}

// add measures the first n frames of the block.
func (m *meter) add(n int) {
	part := audio.Clip{Samples: m.block[:n*m.channels], Channels: m.channels, Rate: m.rate}
	rms := part.RMS()
	m.peak, m.energy = max(m.peak, part.Peak()), m.energy+rms*rms*float64(len(part.Samples))
	m.samples += int64(len(part.Samples))
	if m.channels == 2 {
		m.place.Add(part.Samples)
	}
	m.middle.add(m.mono[:audio.MixDown(m.mono, part.Samples, m.channels)])
}

// measured completes a report.
func (m *meter) measured(r Report) Report {
	r.Measured, r.Peak = true, m.peak
	if m.channels == 2 {
		p := m.place.Place()
		r.Place = &p
	}
	r.Bandwidth = audio.Bandwidth(audio.Clip{Samples: m.middle.samples, Channels: 1, Rate: m.rate})
	if m.samples > 0 {
		r.RMS = math.Sqrt(m.energy / float64(m.samples))
	}
	return r
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
