// Package frontend converts between clips and batches of spectrograms, in both directions. Training and generating, offline
// and on the bus, all use it, so that a model generates in the form in which it was trained.
//
// From a clip: mix down, resample, trim silence, align the attack of a one-shot, pad or cut to the model's length,
// spectrogram. Back to a clip: phase reconstruction (and noise, for one-shots), trim the padding, limit the level. Where the
// spectrogram's configuration has two channels, nothing is mixed down, and clips come back in two; see package stereo.
package frontend

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"wavemill/audio"
	"wavemill/audio/spectrogram"
	"wavemill/models"
)

// ErrSilent is returned, wrapped, for a clip without audible sound.
var ErrSilent = errors.New("the clip is silent")

const (
	silentPeak = 1e-4 // -80 dB: below, a clip counts as silent
	fullPeak   = 0.99 // synthesized clips are scaled down to this peak where they exceed it
	tailDB     = -70  // a frame this far below the loudest one is padding, not decay
)

// A FrontEnd converts as its configuration says. It is safe for concurrent use.
type FrontEnd struct {
	config     models.FrontEnd
	resamplers audio.Resamplers
	transforms sync.Pool // of *transform, which are for one goroutine each
}

// New returns a front end, or an error that names the first fault of fe.
func New(fe models.FrontEnd) (*FrontEnd, error) {
	if fe.Frames < 1 || fe.Frames > 1<<16 {
		return nil, fmt.Errorf("front end: %d frames are not between 1 and %d", fe.Frames, 1<<16)
	}
	if fe.TrimDB > 0 || math.IsNaN(fe.TrimDB) {
		return nil, fmt.Errorf("front end: trim_db %g must be negative (or 0 to keep silence)", fe.TrimDB)
	}
	t, err := newTransform(fe.Spectrogram)
	if err = errors.Join(err, fe.Phase.Validate()); err != nil { // a model whose clips have no way back to sound is not worth its training
		return nil, fmt.Errorf("front end: %w", err)
	}
	f := &FrontEnd{config: fe}
	f.transforms.Put(t)
	return f, nil
}

// Config returns what New was given.
func (f *FrontEnd) Config() models.FrontEnd { return f.config }

// Shape returns the frames and bins of every spectrogram.
func (f *FrontEnd) Shape() (frames, bins int) { return f.config.Frames, f.config.Spectrogram.Bins() }

// Duration returns how long a clip can be before it is cut.
func (f *FrontEnd) Duration() time.Duration {
	c := f.config.Spectrogram
	return audio.FramesDuration(int64(c.Samples(f.config.Frames)), c.SampleRate)
}

func (f *FrontEnd) transform() (*transform, error) {
	if t, ok := f.transforms.Get().(*transform); ok {
		return t, nil
	}
	return newTransform(f.config.Spectrogram)
}

// Notes are the conversions that Analyze made to a clip. The zero value: none.
type Notes struct {
	Channels int           // mixed down from so many; 0: not mixed down
	Inverted bool          // one of two channels was inverted, because they cancel
	Rate     int           // resampled from so many Hz; 0: not resampled
	Trimmed  time.Duration // silence cut off at both ends
	Cut      time.Duration // sound cut off at the end
	Padded   time.Duration // silence added at the end
}

// String lists what was done, times to the millisecond, or returns "".
func (n Notes) String() string {
	var s []string
	if n.Channels > 0 {
		s = append(s, fmt.Sprintf("mixed down from %d channels", n.Channels))
	}
	if n.Inverted {
		s = append(s, "one of them inverted, because they cancel")
	}
	if n.Rate > 0 {
		s = append(s, fmt.Sprintf("resampled from %d Hz", n.Rate))
	}
	for _, d := range []struct {
		time time.Duration
		what string
	}{{n.Trimmed, "of silence trimmed"}, {n.Cut, "cut off"}, {n.Padded, "of silence added"}} {
		if ms := d.time.Round(time.Millisecond); ms > 0 {
			s = append(s, fmt.Sprintf("%v %s", ms, d.what))
		}
	}
	return strings.Join(s, ", ")
}

// Analyze turns a clip into the [Frames, Bins] spectrogram that a model learns from. Samples that are not numbers are
// an error, and so is silence (ErrSilent).
func (f *FrontEnd) Analyze(c audio.Clip) (*spectrogram.Spectrogram, Notes, error) {
	x, notes, err := f.prepare(c)
	if err != nil {
		return nil, notes, err
	}
	t, err := f.transform()
	if err != nil {
		return nil, notes, fmt.Errorf("front end: %w", err)
	}
	defer f.transforms.Put(t)
	s, err := t.forward(x)
	if err != nil {
		return nil, notes, fmt.Errorf("front end: %w", err)
	}
	return s, notes, nil
}

// What a clip must lie within. A header of 1 Hz, and floats that are scaled as integers, are mistakes that would decide
// the plan for all other clips.
const (
	leastRate   = 500     // Hz
	mostRate    = 768_000 // Hz
	loudestPeak = 100     // 40 dB above full scale
)

// Usable returns why no front end can analyze c, or nil: c is not a valid clip, its rate is not between 500 Hz and 768 kHz, a
// sample is not a finite number or more than 40 dB above full scale, there are no samples, or the clip is silent (ErrSilent).
func Usable(c audio.Clip) error {
	if err := c.Validate(); err != nil {
		return fmt.Errorf("front end: %w", err)
	}
	if c.Rate < leastRate || c.Rate > mostRate {
		return fmt.Errorf("front end: a sample rate of %d Hz is not between %d and %d Hz; the file's header is wrong", c.Rate, leastRate, mostRate)
	}
	for i, v := range c.Samples {
		if v != v || math.IsInf(float64(v), 0) {
			return fmt.Errorf("front end: sample %d is %v", i, v)
		}
	}
	if c.Frames() == 0 {
		return fmt.Errorf("front end: %w: the recording has no samples; its file ends where they should begin", ErrSilent)
	}
	if p := c.Peak(); p > loudestPeak {
		return fmt.Errorf("front end: the peak is %.3g times full scale; floats are probably scaled as integers: divide them by 32768", p)
	}
	if c.Peak() < silentPeak {
		return fmt.Errorf("front end: %w: its peak is %.1f dB", ErrSilent, audio.Decibels(c.Peak()))
	}
	return nil
}

// prepare returns the samples that Analyze transforms, interleaved: in the model's channels, at its rate and of its length.
func (f *FrontEnd) prepare(c audio.Clip) ([]float32, Notes, error) {
	var notes Notes
	if err := Usable(c); err != nil {
		return nil, notes, err
	}
	c, notes.Channels, notes.Inverted = f.arrange(c)
	config := f.config.Spectrogram
	if c.Rate != config.SampleRate {
		notes.Rate = c.Rate
		var err error
		if c, err = f.resamplers.Resample(c, config.SampleRate); err != nil {
			return nil, notes, fmt.Errorf("front end: %w", err)
		}
	}
	before := c.Frames()
	c = audio.TrimSilence(c, f.config.TrimDB)
	notes.Trimmed = audio.FramesDuration(int64(before-c.Frames()), c.Rate)
	want := config.Samples(f.config.Frames)
	if config.Scale == spectrogram.ScaleOneShot {
		var err error
		if c, err = f.alignOneShot(c, want); err != nil {
			return nil, notes, fmt.Errorf("front end: %w", err)
		}
	}
	notes.Cut = audio.FramesDuration(int64(c.Frames()-want), c.Rate)
	notes.Padded = audio.FramesDuration(int64(want-c.Frames()), c.Rate)
	x := make([]float32, want*c.Channels)
	copy(x, c.Samples)
	return x, notes, nil
}

// Batch joins spectrograms and their labels. The batch has its own memory.
func (f *FrontEnd) Batch(specs []*spectrogram.Spectrogram, labels []int) (models.Batch, error) {
	frames, bins := f.Shape()
	if len(specs) != len(labels) {
		return models.Batch{}, fmt.Errorf("front end: %d spectrograms and %d labels", len(specs), len(labels))
	}
	b := models.Batch{B: len(specs), T: frames, F: bins, Labels: slices.Clone(labels)}
	b.Data = make([]float32, 0, b.B*b.T*b.F)
	for i, s := range specs {
		if s.Frames != frames || s.Bins != bins || len(s.Data) != frames*bins {
			return models.Batch{}, fmt.Errorf("front end: spectrogram %d is [%d, %d], the model wants [%d, %d]", i, s.Frames, s.Bins, frames, bins)
		}
		b.Data = append(b.Data, s.Data...)
	}
	return b, nil
}

// Synthesize turns clip i of b into sound at the data's rate: phase reconstruction from the given seed, trailing
// padding trimmed, scaled down where the peak would exceed 0.99. Label and Source are the caller's to set.
// A spectrogram of nothing is an error (ErrSilent). Same batch, index and seed: same samples.
func (f *FrontEnd) Synthesize(b models.Batch, i int, seed uint64) (audio.Clip, error) {
	frames, bins := f.Shape()
	if b.T != frames || b.F != bins || i < 0 || i >= b.B || len(b.Data) != b.B*b.T*b.F {
		return audio.Clip{}, fmt.Errorf("front end: no clip %d of [%d, %d] in a batch [%d, %d, %d]", i, frames, bins, b.B, b.T, b.F)
	}
	config := f.config.Spectrogram
	data := clamp(b.Clip(i))
	used := usedFrames(config, data)
	phase := f.config.Phase
	phase.Seed = seed
	t, err := f.transform()
	if err != nil {
		return audio.Clip{}, fmt.Errorf("front end: %w", err)
	}
	defer f.transforms.Put(t)
	s := &spectrogram.Spectrogram{Config: config, Frames: used, Bins: bins, Data: data[:used*bins]}
	x, err := t.reconstruct(s, config.Samples(used), phase)
	if err != nil {
		return audio.Clip{}, fmt.Errorf("front end: %w", err)
	}
	return f.finish(audio.Clip{Samples: x, Channels: f.Channels(), Rate: config.SampleRate})
}

// finish trims, fades and levels a reconstructed clip.
func (f *FrontEnd) finish(c audio.Clip) (audio.Clip, error) {
	peak := c.Peak()
	if peak < silentPeak || math.IsNaN(peak) {
		return audio.Clip{}, fmt.Errorf("front end: %w: a model made a spectrogram of peak %.1f dB", ErrSilent, audio.Decibels(peak))
	}
	c = audio.TrimSilence(c, f.config.TrimDB)
	hop := audio.FramesDuration(int64(f.config.Spectrogram.Hop), c.Rate)
	in := hop / 16
	if f.config.Spectrogram.Scale == spectrogram.ScaleOneShot {
		in = 0 // an attack has a ramp of its own
	}
	c = audio.Fade(c, in, hop/2)
	if peak := c.Peak(); peak > fullPeak {
		scaled := make([]float32, len(c.Samples))
		for i, v := range c.Samples {
			scaled[i] = float32(float64(v) * fullPeak / peak)
		}
		c.Samples = scaled
	}
	return c, nil
}

// clamp copies values, limited to a little more than the front end itself gives. A decoder's output has no limits.
func clamp(x []float32) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		if v == v { // NaN becomes silence
			y[i] = min(max(v, -1), 1.1)
		} else {
			y[i] = -1
		}
	}
	return y
}

// usedFrames returns the number of frames up to the last one that is no padding, and two for its decay.
func usedFrames(c spectrogram.Config, data []float32) int {
	bins, mono := c.Bins(), c.Mono().Bins()
	frames := len(data) / bins
	levels := make([]float64, frames) // of the loudest bin, in dB
	top := math.Inf(-1)
	for t := range levels {
		levels[t] = decibels(c, slices.Max(data[t*bins:t*bins+mono]))
		top = max(top, levels[t])
	}
	for t := frames - 1; t > 0; t-- {
		if levels[t] > top+tailDB {
			return min(frames, t+3)
		}
	}
	return min(frames, 3)
}

// decibels returns the level of one value.
func decibels(c spectrogram.Config, v float32) float64 {
	x := float64(v)
	if c.Min < c.Max {
		x = c.Min + (x+1)/2*(c.Max-c.Min)
	}
	switch c.Value {
	case spectrogram.ValueLog:
		return audio.Decibels(max(math.Exp(x)-c.Floor, 1e-30))
	case spectrogram.ValueLogPower:
		return audio.Decibels(max(math.Exp(x)-c.Floor, 1e-30)) / 2
	case spectrogram.ValuePower:
		return audio.Decibels(max(x, 1e-30)) / 2
	}
	return audio.Decibels(max(x, 1e-30))
}
