package spectrogram

import (
	"errors"
	"fmt"
	"math"

	"wavemill/audio"
)

// A oneShot is the transform of ScaleOneShot, made for sounds that begin with a stroke and decay.
//
// Below Crossover, where tones are, frames are long (NFFT) and filters as narrow as bins: pitch survives. Above, frames
// are short (ShortNFFT): attacks survive. The way back differs, too: the low part gets the phase that its magnitudes
// imply, the high part is white noise that is filtered to its levels, with sinusoids where these have peaks, because the smooth spectrogram of a noise has a
// pulse train for its consistent signal. The hop doubles after every HopGrowth frames, as a decay gets slower and slower.
//
// Values are the logarithms of levels relative to the loudest sample of the clip. The last bins, the marks, hold what
// levels of frames cannot; each is the same in all frames, so that a model's errors average out:
//
//   - the level of the loudest sample from the attack on, and -1 before: -1 is levelRange dB below full scale, 1 is full
//     scale;
//   - the time in which the attack rises, from leastRise at -1 to mostRise at 1, on a logarithmic scale;
//   - the time from the attack until the sound is 60 dB below its loudest sample, from leastTail at -1 to mostTail at 1, on a
//     logarithmic scale;
//   - with Config.Persistence, the persistence of fine structure above 2 kHz, from 0 at -1 to 1 at 1: how much of the high part
//     is partials that ring on rather than noise, see partials.
type oneShot struct {
	config Config
	factor int        // the low part's rate is so much lower
	low    *Transform // of the low part, at the rate divided by factor
	high   *Transform
	made   *Transform // of the high part, on the way back
	long   *Transform // of the whole sound in frames of NFFT samples, for its persistence; nil without that mark
	lows   int        // filters of the low part
	bands  []band     // of the high part, on the bins of high
	gain   []float32  // of every filter: what its mean magnitude is multiplied by
	weight []float64  // sum of the weights of the low part's filters
	unit   float32    // the RMS of noise whose bins in high have the RMS 1
	spread []spread   // of every bin of high, the filters that it follows

	whitePower float64   // of every bin of high, in white noise of RMS 1
	bend       []float64 // of every filter of the high part, on white noise; see fluctuation
	down       *audio.Resampler
	up         *audio.Resampler
}

// What the marks can hold.
const (
	levelRange = 60     // dB
	leastRise  = 0.0002 // seconds
	mostRise   = 0.1
	leastTail  = 0.01
	mostTail   = 20
	tailDB     = -60
)

// The marks, as bins after the filters.
const (
	markLevel = iota
	markRise
	markTail
	markPersistence
)

// Marks is the number of bins that hold no level but marks of the whole clip, at the end of a frame or before its stereo
// image: 3 for ScaleOneShot, 4 with Persistence.
// What moves a spectrogram along its bins must leave them in place.
func (c Config) Marks() int {
	switch {
	case c.Scale != ScaleOneShot:
		return 0
	case c.Persistence:
		return markPersistence + 1
	}
	return markPersistence
}

// A spread says from which filters a bin takes its level.
type spread struct {
	band   int     // this one and the next
	part   float64 // of the next
	weight float32 // of the bin, 0 below the crossover
}

// maxHopGrowth is as many frames as a front end may have.
const maxHopGrowth = 1 << 16

// lowMargin is the lowest ratio of half the low part's rate to the crossover.
const lowMargin = 1.25

// lowFactor is how much lower the low part's rate is, a power of two.
func (c Config) lowFactor() int {
	f := 1
	for c.NFFT%(2*f) == 0 && c.Hop%(2*f) == 0 && c.NFFT/(2*f) >= 32 && float64(c.SampleRate)/float64(4*f) >= lowMargin*c.Crossover {
		f *= 2
	}
	return f
}

func (c Config) validateOneShot(bad func(field, format string, args ...any)) {
	if c.Scale != ScaleOneShot {
		if c.HopGrowth != 0 || c.ShortNFFT != 0 || c.Crossover != 0 || c.Tilt != 0 || c.Persistence {
			bad("hop_growth, short_n_fft, crossover, tilt, persistence", "only the scale %q has them", ScaleOneShot)
		}
		return
	}
	if c.Persistence && c.Window != WindowHann {
		bad("persistence", "goes with the window %q, whose transform partials are made with, not %q", WindowHann, c.Window)
	}
	if c.ShortNFFT < 2*c.Hop || c.ShortNFFT > c.NFFT {
		bad("short_n_fft", "%d is not between twice the hop, %d, and n_fft, %d", c.ShortNFFT, 2*c.Hop, c.NFFT)
	}
	if !(c.Crossover > 0 && c.Crossover <= float64(c.SampleRate)/4) {
		bad("crossover", "%g Hz is not between 0 and a quarter of the sample rate", c.Crossover)
	}
	if c.HopGrowth < 0 || c.HopGrowth > maxHopGrowth {
		bad("hop_growth", "%d is not between 0 and %d", c.HopGrowth, maxHopGrowth)
	}
	if !(math.Abs(c.Tilt) <= 12) {
		bad("tilt", "%g dB per octave is not between -12 and 12", c.Tilt)
	}
	if c.MelFormula != FormulaKnee || c.Value != ValueLog || !c.isScaled() || c.Pad == PadReflect || c.FMin != 0 {
		bad("scale", "%q goes with mel_formula %q, value %q, f_min 0, a range min < max and zero padding", ScaleOneShot, FormulaKnee, ValueLog)
	}
}

func newOneShot(c Config) (*oneShot, error) {
	o := &oneShot{config: c, factor: c.lowFactor()}
	for o.lows < c.Mels && c.hz(float64(o.lows+1)) < c.Crossover {
		o.lows++
	}
	if o.lows < 1 || o.lows == c.Mels {
		return nil, fmt.Errorf("spectrogram config: crossover: %g Hz leaves %d of %d filters below; at least one must lie on either side", c.Crossover, o.lows, c.Mels)
	}
	// The low part is described as if its samples had the full rate: then frequencies are factor times as high.
	low := Config{
		SampleRate: c.SampleRate, NFFT: c.NFFT / o.factor, Hop: c.Hop / o.factor, Window: c.Window, Scale: ScaleMel, Mels: o.lows,
		FMax: c.hz(float64(o.lows+1)) * float64(o.factor), MelFormula: FormulaKnee, Knee: c.Knee * float64(o.factor), MelNorm: NormNone, Value: ValueMagnitude,
	}
	high := Config{SampleRate: c.SampleRate, NFFT: c.ShortNFFT, Hop: c.Hop, Window: c.Window, Scale: ScaleLinear, Value: ValuePower}
	made := high
	if c.Hop%2 == 0 {
		made.Hop /= 2
	}
	var err, err2, err3 error
	o.low, err = New(low)
	o.high, err2 = New(high)
	o.made, err3 = New(made)
	if err := errors.Join(err, err2, err3); err != nil {
		return nil, err
	}
	o.low.tonal = c.Window == WindowHann
	if c.Persistence {
		long := Config{SampleRate: c.SampleRate, NFFT: c.NFFT, Hop: c.NFFT / 2, Window: c.Window, Scale: ScaleLinear, Value: ValuePower}
		if o.long, err = New(long); err != nil {
			return nil, err
		}
	}
	if o.down, err = audio.NewResampler(o.factor, 1); err == nil {
		o.up, err = audio.NewResampler(1, o.factor)
	}
	if err != nil {
		return nil, fmt.Errorf("spectrogram config: %w", err)
	}
	o.planBands()
	return o, nil
}

// planBands prepares the filters' gains: white noise of RMS 1 has the value 1 in all of them before the tilt.
func (o *oneShot) planBands() {
	c := o.config
	edge := func(m int) float64 { return c.hz(float64(m)) }
	perBin := float64(c.SampleRate) / float64(c.ShortNFFT)
	o.bands, o.bend = make([]band, c.Mels-o.lows), make([]float64, c.Mels-o.lows)
	for i := range o.bands {
		m := o.lows + i + 1
		o.bands[i] = triangle(edge(m-1), edge(m), edge(m+1), perBin, c.ShortNFFT/2)
		o.bend[i] = bendOf(o.bands[i])
	}
	o.weight = make([]float64, o.lows)
	for m, b := range melBands(o.low.config) {
		for _, w := range b.weights {
			o.weight[m] += float64(w)
		}
	}
	// Decimated noise of RMS 1 per sqrt(factor) has the density that it had.
	low := math.Sqrt(float64(o.factor) / energy(o.low.window))
	high := 1 / math.Sqrt(energy(o.high.window))
	o.unit = float32(high)
	o.whitePower = energy(o.high.window)
	o.gain = make([]float32, c.Mels)
	for m := range o.gain {
		unit := high
		if m < o.lows {
			unit = low
		}
		o.gain[m] = float32(unit * math.Pow(10, c.Tilt/20*math.Log2(edge(m+1)/1000)))
	}
	o.spread = make([]spread, c.ShortNFFT/2+1)
	for k := range o.spread {
		at := c.mel(float64(k)*perBin) - 1 // filter m lies at m
		s := spread{band: min(max(int(at), o.lows), c.Mels-2), weight: 1}
		s.part = min(max(at-float64(s.band), 0), 1)
		if below := at - float64(o.lows-1); below < 1 {
			s.weight = float32(math.Sqrt(max(below, 0)))
		}
		o.spread[k] = s
	}
}

// triangle is a filter whose weights sum to 1; one too narrow for any bin is the nearest bin.
func triangle(left, mid, right, perBin float64, last int) band {
	var b band
	var sum float64
	for k := max(0, int(left/perBin)); k <= last && float64(k)*perBin < right; k++ {
		f := float64(k) * perBin
		w := min((f-left)/(mid-left), (right-f)/(right-mid))
		if w <= 0 {
			continue
		}
		if len(b.weights) == 0 {
			b.first = k
		}
		b.weights = append(b.weights, float32(w))
		sum += w
	}
	if len(b.weights) == 0 {
		return band{first: min(int(mid/perBin+0.5), last), weights: []float32{1}}
	}
	for i := range b.weights {
		b.weights[i] = float32(float64(b.weights[i]) / sum)
	}
	return b
}

func energy(window []float64) float64 {
	var sum float64
	for _, w := range window {
		sum += w * w
	}
	return sum
}

// forward computes the features of x: Frames(len(x)) by Bins(), the filters and the marks.
func (o *oneShot) forward(dst *Spectrogram, x []float32) error {
	c := o.config
	bins := c.Bins()
	dst.Config, dst.Frames, dst.Bins = c, c.Frames(len(x)), bins
	dst.Data = grow(dst.Data, dst.Frames*bins)
	peak := audio.Clip{Samples: x, Channels: 1, Rate: 1}.Peak()
	if peak < minPeak {
		for i := range dst.Data {
			dst.Data[i] = -1
		}
		return nil
	}
	k := o.measure(x)
	power, err := o.powers(x)
	if err == nil && o.long != nil {
		k.persistence, err = o.persistence(x)
	}
	if err != nil {
		return err
	}
	scale := 2 / (c.Max - c.Min)
	fine := len(power) / c.Mels
	sum := make([]float64, c.Mels)
	for f := range dst.Frames {
		o.average(sum, power, f, fine)
		row := dst.Data[f*bins : (f+1)*bins]
		for m, p := range sum {
			v := math.Log(math.Sqrt(p)*float64(o.gain[m])/peak + c.Floor)
			row[m] = float32(min(max(-1+(v-c.Min)*scale, -1), 1))
		}
		k.mark(row[c.Mels:c.Mels+c.Marks()], c.Samples(f+1)+c.Hop/2)
	}
	return nil
}

// powers returns the mean powers of all filters in frames of the first hop: frames by Mels.
func (o *oneShot) powers(x []float32) ([]float32, error) {
	c := o.config
	low, err := o.low.Forward(nil, o.down.Resample(nil, x))
	if err != nil {
		return nil, err
	}
	high, err := o.high.Forward(nil, x)
	if err != nil {
		return nil, err
	}
	fine := min(low.Frames, high.Frames)
	out := make([]float32, fine*c.Mels)
	for f := range fine {
		row := out[f*c.Mels : (f+1)*c.Mels]
		for m, v := range low.Data[f*o.lows : (f+1)*o.lows] {
			a := float64(v) / o.weight[m]
			row[m] = float32(a * a)
		}
		bins := high.Data[f*high.Bins : (f+1)*high.Bins]
		for m, b := range o.bands {
			var sum float32
			for i, w := range b.weights {
				sum += w * bins[b.first+i]
			}
			row[o.lows+m] = sum
		}
	}
	return out, nil
}

// average writes the mean powers of the fine frames that frame f stands for: those from half a hop before it to half a hop
// after it.
func (o *oneShot) average(dst []float64, power []float32, f, fine int) {
	c := o.config
	at := c.Samples(f+1) / c.Hop
	before, after := (at-c.Samples(f)/c.Hop)/2, (c.Samples(f+2)/c.Hop-at)/2
	clear(dst)
	n := 0.0
	for g := max(0, at-before); g <= min(at+after, fine-1); g++ {
		w := 1.0
		if (g == at-before && before > 0) || (g == at+after && after > 0) {
			w = 0.5 // a frame in the middle between two counts half
		}
		for m := range dst {
			dst[m] += w * float64(power[g*c.Mels+m])
		}
		n += w
	}
	if n > 0 {
		for m := range dst {
			dst[m] /= n
		}
	}
}

// OneShot is the front end for sounds of a given rate that begin with a stroke and decay: frames of about 46 ms below
// 1 kHz and 12 ms above, a hop of 6 ms that doubles after every 32 frames, and 60 filters, whose levels cover 84 dB. With the
// four marks these are 64 bins, which networks can halve six times. The rise of 3 dB per octave makes the levels of drums and
// cymbals about equal over frequency.
func OneShot(sampleRate int) Config {
	n := 64
	for float64(n)*math.Sqrt2 < 0.046*float64(sampleRate) {
		n *= 2
	}
	c := Config{
		SampleRate: sampleRate, NFFT: n, Hop: n / 8, HopGrowth: 32, ShortNFFT: n / 4, Crossover: 1000, Window: WindowHann,
		Scale: ScaleOneShot, Mels: 60, FMax: float64(sampleRate) / 2, MelFormula: FormulaKnee, Value: ValueLog,
		Floor: 5e-4, Min: math.Log(5e-4), Max: math.Log(8), Tilt: 3,
		Persistence: true,
	}
	c.Knee = c.KneeFor(c.FMax)
	return c
}
