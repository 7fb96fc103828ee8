package frontend

import (
	"context"
	"errors"
	"math"
	"runtime"

	"golang.org/x/sync/errgroup"

	"wavemill/audio"
	"wavemill/audio/spectrogram"
	"wavemill/audio/stereo"
	"wavemill/audio/timbre"
	"wavemill/models"
)

// A Ceiling measures what a round trip through a front end leaves of recordings: the best that a model behind it can do.
// Figures are means over clips.
type Ceiling struct {
	Clips int `json:"clips"`
	// LogSpectral is the log-spectral distance in dB between a clip and its round trip: the root of the mean squared
	// difference of their power spectra in dB over frequency, mean over time, 0 for the clip itself. Frames are of 32 ms.
	// What lies 60 dB below the clip's loudest value counts as silence.
	LogSpectral float64 `json:"log_spectral_db"`
	// SpectralSNR is the signal-to-noise ratio of the magnitudes of the same frames in dB, whatever their phases.
	SpectralSNR float64 `json:"spectral_snr_db"`
	// SNR is the scale-invariant signal-to-noise ratio of the samples in dB. It is low even where no difference
	// is audible, because the phases are not those of the recording.
	SNR float64 `json:"si_snr_db"`
	// Cut is the share of clips that are longer than the model's, and Lost the share of all clips' power that is cut off.
	Cut  float64 `json:"cut"`
	Lost float64 `json:"lost"`
	// Clamped is the share of values above the scaling's range.
	Clamped float64 `json:"clamped"`
	// Sound is what an ear would mind.
	Sound *Sound `json:"sound,omitempty"`
	// Image is what becomes of pan and width; nil for a front end of one channel, and where no clip has two that differ.
	Image *Image `json:"image,omitempty"`
}

// An Image compares where the sound of clips is before and after a round trip: errors in dB of the clips whose channels
// differ to the ear, see stereo.Differs.
type Image struct {
	Clips     int          `json:"clips"`
	Pan       float64      `json:"pan_error_db"`       // median of the absolute errors
	PanMost   float64      `json:"pan_error_p90_db"`   // their 90th percentile
	Width     float64      `json:"width_error_db"`     // as Pan
	WidthMost float64      `json:"width_error_p90_db"` // as PanMost
	Before    stereo.Place `json:"before"`             // medians over the clips
	After     stereo.Place `json:"after"`
}

// A Sound compares the timbre of clips before and after a round trip.
type Sound struct {
	Pairs  timbre.Pairs    `json:"pairs"`  // of a clip and its round trip
	Before timbre.Measures `json:"before"` // medians over clips
	After  timbre.Measures `json:"after"`
}

// A trip is one clip's round trip.
type trip struct {
	ceiling       Ceiling
	before, after timbre.Measures
	was, is       *stereo.Place // nil: the clip's channels do not differ
}

// neutralFloor is the power, relative to the clip's loudest value, below which a round trip is not measured: -60 dB.
const neutralFloor = 1e-6

// MeasureCeiling sends clips through the front end and back. Silent clips are left out; an error where all are. The result depends on the
// seed of the phases a little.
func MeasureCeiling(ctx context.Context, fe models.FrontEnd, clips []audio.Clip, seed uint64) (Ceiling, error) {
	f, err := New(fe)
	if err != nil {
		return Ceiling{}, err
	}
	each := make([]trip, len(clips))
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, c := range clips {
		group.Go(func() error {
			if err := working.Err(); err != nil {
				return err
			}
			var err error
			each[i], err = f.ceiling(c, seed+uint64(i))
			if errors.Is(err, ErrSilent) {
				err = nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return Ceiling{}, err
	}
	var (
		sum           Ceiling
		pairs         []timbre.Pair
		before, after []timbre.Measures
	)
	for _, t := range each {
		c := t.ceiling
		if c.Clips > 0 {
			pairs = append(pairs, timbre.NewPair(t.before, t.after))
			before, after = append(before, t.before), append(after, t.after)
		}
		sum.Clips += c.Clips
		sum.LogSpectral += c.LogSpectral
		sum.SpectralSNR += c.SpectralSNR
		sum.SNR += c.SNR
		sum.Cut += c.Cut
		sum.Lost += c.Lost
		sum.Clamped += c.Clamped
	}
	if sum.Clips == 0 {
		return Ceiling{}, errors.New("front end: ceiling: there is no clip with sound in it")
	}
	n := float64(sum.Clips)
	sum.LogSpectral /= n
	sum.SpectralSNR /= n
	sum.SNR /= n
	sum.Cut /= n
	sum.Lost /= n
	sum.Clamped /= n
	sum.Sound = &Sound{timbre.Summarise(pairs), timbre.Median(before), timbre.Median(after)}
	sum.Image = imageOf(each)
	return sum, nil
}

// ceiling measures one clip.
func (f *FrontEnd) ceiling(c audio.Clip, seed uint64) (trip, error) {
	x, notes, err := f.prepare(c)
	if err != nil {
		return trip{}, err
	}
	t, err := f.transform()
	if err != nil {
		return trip{}, err
	}
	defer f.transforms.Put(t)
	s, err := t.forward(x)
	if err != nil {
		return trip{}, err
	}
	out := Ceiling{Clips: 1, Clamped: clampedShare(s)}
	phase := f.config.Phase
	phase.Seed = seed
	// As Synthesize: padding at the end is left out.
	used := usedFrames(f.config.Spectrogram, s.Data)
	s.Frames, s.Data = used, s.Data[:used*s.Bins]
	frames := f.config.Spectrogram.Samples(used)
	x = x[:frames*f.Channels()]
	y, err := t.reconstruct(s, frames, phase)
	if err != nil {
		return trip{}, err
	}
	var result trip
	if x, y, err = result.place(x, y, f.Channels(), f.config.Spectrogram.SampleRate); err != nil {
		return trip{}, err
	}
	if notes.Cut > 0 {
		out.Cut, out.Lost = 1, f.lost(c)
	}
	out.SNR = invariantSNR(x, y)
	rate := f.config.Spectrogram.SampleRate
	out.LogSpectral, out.SpectralSNR, err = spectralDistance(x, y, rate)
	meter := timbre.NewMeter(float64(rate) / float64(f.config.Spectrogram.Hop))
	result.ceiling = out
	result.before = meter.Measure(audio.Clip{Samples: x, Channels: 1, Rate: rate})
	result.after = meter.Measure(audio.Clip{Samples: y, Channels: 1, Rate: rate})
	return result, err
}

// clampedShare is the share of the values of s above the scaling's range. Those of a stereo image have none.
func clampedShare(s *spectrogram.Spectrogram) float64 {
	if !(s.Config.Min < s.Config.Max) {
		return 0
	}
	high, bins := 0, s.Config.Mono().Bins()
	for f := range s.Frames {
		for _, v := range s.Data[f*s.Bins : f*s.Bins+bins] {
			if v >= 1 {
				high++
			}
		}
	}
	return float64(high) / float64(s.Frames*bins)
}

// lost is the share of a clip's power that lies after the model's last frame.
func (f *FrontEnd) lost(c audio.Clip) float64 {
	c = audio.TrimSilence(c.Mono(), f.config.TrimDB)
	keep := min(len(c.Samples), int(f.Duration().Seconds()*float64(c.Rate)))
	all, tail := c.RMS(), audio.Clip{Samples: c.Samples[keep:], Channels: 1, Rate: c.Rate}
	if all == 0 || len(tail.Samples) == 0 {
		return 0
	}
	r := tail.RMS() / all
	return r * r * float64(len(tail.Samples)) / float64(len(c.Samples))
}

// invariantSNR is the SI-SDR of Le Roux et al. (2019) in dB, at most 100: the power of y's projection on x by that of the rest.
func invariantSNR(x, y []float32) float64 {
	var xx, xy, yy float64
	for i, v := range x {
		xx += float64(v) * float64(v)
		xy += float64(v) * float64(y[i])
		yy += float64(y[i]) * float64(y[i])
	}
	if xx == 0 || yy == 0 {
		return 0
	}
	signal := xy * xy / xx
	return limitDB(signal, yy-signal)
}

// limitDB is a ratio of powers in dB between -100 and 100.
func limitDB(signal, noise float64) float64 {
	if noise <= 0 {
		return 100
	}
	return min(max(10*math.Log10(signal/noise), -100), 100)
}

// spectralDistance compares the power spectra of x and y.
func spectralDistance(x, y []float32, rate int) (logSpectral, snr float64, err error) {
	n := 64
	for n*3/2 < rate*32/1000 {
		n *= 2
	}
	t, err := spectrogram.New(spectrogram.Config{
		SampleRate: rate, NFFT: n, Hop: n / 4, Window: spectrogram.WindowHann, Scale: spectrogram.ScaleLinear, Value: spectrogram.ValuePower,
	})
	if err != nil {
		return 0, 0, err
	}
	a, err := t.Forward(nil, x)
	if err != nil {
		return 0, 0, err
	}
	b, err := t.Forward(nil, y)
	if err != nil {
		return 0, 0, err
	}
	var top float64
	for _, v := range a.Data {
		top = max(top, float64(v))
	}
	floor := neutralFloor * top
	var signal, noise float64
	sounding := 0
	for f := range a.Frames {
		var squares, loudest float64
		for k := range a.Bins {
			p, q := float64(a.Data[f*a.Bins+k]), float64(b.Data[f*a.Bins+k])
			loudest = max(loudest, p)
			d := 10 * math.Log10(max(p, floor)/max(q, floor))
			squares += d * d
			e := math.Sqrt(p) - math.Sqrt(q)
			signal, noise = signal+p, noise+e*e
		}
		if loudest > floor {
			logSpectral += math.Sqrt(squares / float64(a.Bins))
			sounding++
		}
	}
	return logSpectral / float64(max(sounding, 1)), limitDB(signal, noise), nil
}
