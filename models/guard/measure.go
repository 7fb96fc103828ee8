package guard

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"wavemill/audio"
	"wavemill/audio/fingerprint"
	"wavemill/audio/spectrogram"
	"wavemill/audio/stereo"
	"wavemill/models"
	"wavemill/models/frontend"
)

// An Example is a clip or a spectrogram as a [Detector] sees it: what is measured of it and a vector of fixed size, not the
// sound itself. It takes about 2 KiB, whatever the length of the clip.
type Example struct {
	// ID distinguishes examples; 0: none. A detector that was fitted to an example judges it as if it had been left out.
	ID     uint64
	Label  string
	Source string
	// Rate is the sample rate in Hz, of a spectrogram that of its transform.
	Rate int
	// Seconds is the duration.
	Seconds float64
	// Level is the level of the loudest part in dB: of a clip that of its loudest 20 ms relative to a full-scale square wave,
	// of a spectrogram that of its loudest values. Levels of clips and of spectrograms do not compare.
	Level float64
	// Full is the share of samples at or above full scale, or of a spectrogram's values at the upper end of its range.
	Full float64
	// Over is the greatest absolute sample where that is above full scale, else 0.
	Over float64
	// Flaw says why there is nothing to hear; empty where there is something.
	Flaw string
	// Truncated means that the file ends before its header says.
	Truncated bool
	// Print and Digest identify the recording; both may be empty.
	Print  fingerprint.Print
	Digest string
	// FrontEnd is that of a spectrogram, nil for a clip.
	FrontEnd *models.FrontEnd

	outOfRange int       // values of a spectrogram that its front end cannot give
	vector     []float32 // [vectorSize], see vectorOf; nil where there is nothing to hear
	image      []float64 // pans, then as many widths, in dB: of a clip one each, of a spectrogram those of its bands; nil: one channel
}

// What the loudest part of a clip is measured over.
const levelSeconds = 0.02

// fullScale is where a sample counts as full: the greatest of 16 bits is 1 - 2^-15, that of 8 bits 1 - 2^-7.
const fullScale = 0.99

// An Analyst measures clips. It is safe for concurrent use.
type Analyst struct {
	transforms sync.Pool
	resamplers audio.Resamplers
	prints     fingerprint.Maker
}

// analysisRate is the rate in Hz at which clips are compared, so that clips of all rates have the same bands.
const analysisRate = 16000

// analysis is the transform by which clips are compared: frames of 32 ms, one every 8 ms, 40 mel bands up to 8 kHz.
func analysis() spectrogram.Config {
	return spectrogram.Config{
		SampleRate: analysisRate, NFFT: 512, Hop: 128, Window: spectrogram.WindowHann,
		Scale: spectrogram.ScaleMel, Mels: 40, FMin: 60, FMax: analysisRate / 2, Value: spectrogram.ValuePower,
	}
}

// Clip measures a clip. It fails where [frontend.Usable] does for another reason than silence.
func (a *Analyst) Clip(c audio.Clip, truncated bool) (Example, error) {
	e := Example{Label: c.Label, Source: c.Source, Rate: c.Rate, Seconds: c.Duration().Seconds(), Truncated: truncated}
	err := frontend.Usable(c)
	switch {
	case errors.Is(err, frontend.ErrSilent):
		e.Flaw = "it has no sound"
	case err != nil:
		return Example{}, err
	}
	e.Level, e.Full, e.Over = levels(c)
	e.Digest = fingerprint.Digest(c)
	if e.Flaw != "" {
		return e, nil
	}
	e.Print = a.prints.Of(c)
	if c.Channels == 2 {
		place := stereo.PlaceOf(c)
		e.image = []float64{place.Pan, place.Width}
	}
	mono, err := a.resamplers.Resample(c.Mono(), analysisRate)
	if err != nil {
		return Example{}, err
	}
	power, err := a.forward(mono.Samples)
	if err != nil {
		return Example{}, err
	}
	db := make([]float32, len(power.Data))
	for i, v := range power.Data {
		db[i] = float32(10 * math.Log10(float64(v)+1e-20))
	}
	if e.vector = vectorOf(db, power.Frames, power.Bins); e.vector == nil {
		e.Flaw = "it has no sound when mixed down to mono"
	}
	return e, nil
}

// forward is the transform of a.
func (a *Analyst) forward(samples []float32) (*spectrogram.Spectrogram, error) {
	t, ok := a.transforms.Get().(*spectrogram.Transform)
	if !ok {
		var err error
		if t, err = spectrogram.New(analysis()); err != nil {
			return nil, fmt.Errorf("guard: %w", err) // A fault of analysis.
		}
	}
	defer a.transforms.Put(t)
	return t.Forward(nil, samples)
}

// levels measures the samples of a clip.
func levels(c audio.Clip) (level, full, over float64) {
	size := max(1, int(levelSeconds*float64(c.Rate))) * max(1, c.Channels)
	loudest, peak, at := 0.0, 0.0, 0
	for block := range slices.Chunk(c.Samples, size) {
		sum := 0.0
		for _, v := range block {
			x := math.Abs(float64(v))
			sum += x * x
			peak = max(peak, x)
			if x >= fullScale {
				at++
			}
		}
		loudest = max(loudest, sum/float64(len(block)))
	}
	if peak > 1 {
		over = peak
	}
	return 10 * math.Log10(loudest+1e-12), float64(at) / float64(max(1, len(c.Samples))), over
}

// Spectrogram measures a spectrogram of the given front end; values must be finite and have its size. The identity of the
// recording is the caller's to set.
func Spectrogram(label, source string, values []float32, fe models.FrontEnd) (Example, error) {
	c := fe.Spectrogram
	bins := c.Bins()
	if len(values) == 0 || len(values) != fe.Frames*bins {
		return Example{}, fmt.Errorf("guard: %d values are no spectrogram of %d frames and %d bins", len(values), fe.Frames, bins)
	}
	own := c.Levels()
	db := make([]float32, fe.Frames*own)
	silent, top, outside := true, 0, 0
	for t := range fe.Frames {
		for f := range own {
			v := values[t*bins+f]
			if v > -1 {
				silent = false
			}
			if v >= 1 {
				top++
			}
			if c.Min != c.Max && (v < -1-slack || v > 1+frontend.Margin) {
				outside++
			}
			db[t*own+f] = decibels(c, float64(v))
		}
	}
	e := Example{
		Label: label, Source: source, Rate: c.SampleRate, Seconds: float64(c.Samples(fe.Frames)) / float64(c.SampleRate),
		Full: float64(top) / float64(len(db)), FrontEnd: &fe,
		outOfRange: outside, image: imageOf(values, db, c),
	}
	if e.vector = vectorOf(db, fe.Frames, own); silent && c.Min != c.Max || e.vector == nil {
		e.Flaw, e.vector = "it has no sound", nil
	}
	sorted := slices.Sorted(slices.Values(db))
	e.Level = float64(sorted[len(sorted)-1-len(sorted)/200])
	return e, nil
}

// imageOf is the mean image of a spectrogram over its frames, by the power of their loudest bin; db are its levels.
func imageOf(values []float32, db []float32, c spectrogram.Config) []float64 {
	n, bins := c.Image(), c.Bins()
	if n == 0 {
		return nil
	}
	out, total := make([]float64, n), 0.0
	for t := range len(values) / bins {
		weight := math.Pow(10, float64(slices.Max(db[t*c.Levels():(t+1)*c.Levels()]))/10)
		total += weight
		for i, v := range values[(t+1)*bins-n : (t+1)*bins] {
			out[i] += weight * float64(v)
		}
	}
	for i := range out {
		out[i] *= stereo.Limit / total
	}
	return out
}

// moved is the least difference in dB of pan or width, in the median of the bands, at which copies of one sound are
// different recordings for a model of two channels. Less may come from an encoding.
const moved = 3.0

// elsewhere reports whether two examples have two channels and other places.
func (e Example) elsewhere(image []float64) bool {
	if len(e.image) == 0 || len(e.image) != len(image) {
		return false
	}
	apart := make([]float64, len(image))
	for i := range apart {
		apart[i] = math.Abs(e.image[i] - image[i])
	}
	half := len(apart) / 2
	pan, width := apart[:half], apart[half:]
	slices.Sort(pan)
	slices.Sort(width)
	return pan[half/2] > moved || width[half/2] > moved
}

// slack is for rounding. Values may lie above 1 by what samples may be above full scale: see frontend.Margin.
const slack = 1e-3

// decibels is the level of a spectrogram's value.
func decibels(c spectrogram.Config, v float64) float32 {
	if c.Min != c.Max {
		v = c.Min + (v+1)/2*(c.Max-c.Min)
	}
	switch c.Value {
	case spectrogram.ValueMagnitude:
		return float32(20 * math.Log10(math.Max(v, 1e-10)))
	case spectrogram.ValuePower:
		return float32(10 * math.Log10(math.Max(v, 1e-20)))
	case spectrogram.ValueLogPower:
		return float32(10 / math.Ln10 * v)
	}
	return float32(20 / math.Ln10 * v)
}
