package spectrogram

import (
	"fmt"
	"math"

	"wavemill/audio/spectrogram/fft"
)

// A Spectrogram is Frames by Bins values and the Config that made them, time-major: bin f of frame t is
// Data[t*Bins+f].
type Spectrogram struct {
	Config Config
	Frames int
	Bins   int
	Data   []float32
}

// A Transform computes spectrograms of one Config and goes back. It owns its scratch: it is not safe for concurrent
// use, so make one per goroutine.
type Transform struct {
	config  Config
	plan    *fft.Real
	window  []float32
	bands   []band
	frame   []float32
	coeff   []complex64
	overlap []float32
}

// New makes a Transform. It fails if c is not valid or if its window cannot be inverted at its hop: the squared windows
// of overlapping frames must not vanish anywhere.
func New(c Config) (*Transform, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	plan, err := fft.NewReal(c.NFFT)
	if err != nil {
		return nil, err
	}
	t := &Transform{config: c, plan: plan, frame: make([]float32, c.NFFT), coeff: make([]complex64, c.NFFT/2+1)}
	w := window(c)
	t.window = make([]float32, len(w))
	for i, v := range w {
		t.window[i] = float32(v)
	}
	if c.Scale == ScaleMel {
		t.bands = melBands(c)
	}
	return t, nil
}

// Config is the Config that t was made from.
func (t *Transform) Config() Config { return t.config }

// STFT writes the short-time Fourier transform of x to dst, Frames(len(x)) by NFFT/2+1, and returns it. A dst too short
// (nil for one) is replaced.
func (t *Transform) STFT(dst []complex64, x []float32) []complex64 {
	frames, bins := t.config.Frames(len(x)), t.config.NFFT/2+1
	dst = grow(dst, frames*bins)
	for f := range frames {
		t.load(x, f)
		t.plan.Forward(dst[f*bins:(f+1)*bins], t.frame)
	}
	return dst
}

// load puts windowed frame f of x into t.frame.
func (t *Transform) load(x []float32, f int) {
	start := f*t.config.Hop - t.config.NFFT/2
	for i := range t.frame {
		t.frame[i] = t.sample(x, start+i) * t.window[i]
	}
}

func (t *Transform) sample(x []float32, i int) float32 {
	if i >= 0 && i < len(x) {
		return x[i]
	}
	if t.config.Pad != PadReflect || len(x) == 0 {
		return 0
	}
	if len(x) == 1 {
		return x[0]
	}
	period := 2 * (len(x) - 1)
	i = ((i % period) + period) % period
	return x[min(i, period-i)]
}

// ISTFT writes the n samples whose STFT is closest to s (least squares) to dst and returns it; n <= 0 is the natural
// length. It undoes STFT exactly, to rounding. A dst too short (nil for one) is replaced.
func (t *Transform) ISTFT(dst []float32, s []complex64, n int) []float32 {
	bins := t.config.NFFT/2 + 1
	frames := len(s) / bins
	if n <= 0 {
		n = t.config.Samples(frames)
	}
	dst = grow(dst, n)
	clear(dst)
	t.overlap = grow(t.overlap, n)
	clear(t.overlap)
	for f := range frames {
		t.plan.Inverse(t.frame, s[f*bins:(f+1)*bins])
		start := f*t.config.Hop - t.config.NFFT/2
		lo, hi := max(0, -start), min(len(t.frame), n-start)
		for i := lo; i < hi; i++ {
			dst[start+i] += t.frame[i] * t.window[i]
			t.overlap[start+i] += t.window[i] * t.window[i]
		}
	}
	for i, w := range t.overlap {
		if w > 0 {
			dst[i] /= w
		}
	}
	return dst
}

// Forward computes the features of x that the Config describes. A nil dst is allocated; another one is reused.
func (t *Transform) Forward(dst *Spectrogram, x []float32) (*Spectrogram, error) {
	if dst == nil {
		dst = new(Spectrogram)
	}
	dst.Config, dst.Frames, dst.Bins = t.config, t.config.Frames(len(x)), t.config.Bins()
	dst.Data = grow(dst.Data, dst.Frames*dst.Bins)
	mag := make([]float32, t.config.NFFT/2+1)
	for f := range dst.Frames {
		t.load(x, f)
		t.plan.Forward(t.coeff, t.frame)
		for i, c := range t.coeff {
			p := float64(real(c))*float64(real(c)) + float64(imag(c))*float64(imag(c))
			if !t.config.isPower() {
				p = math.Sqrt(p)
			}
			mag[i] = float32(p)
		}
		t.encode(dst.Data[f*dst.Bins:(f+1)*dst.Bins], mag)
	}
	return dst, nil
}

// encode turns magnitudes (or powers) into features.
func (t *Transform) encode(row, mag []float32) {
	copy(row, mag)
	for m, b := range t.bands {
		var sum float32
		for i, w := range b.weights {
			sum += w * mag[b.first+i]
		}
		row[m] = sum
	}
	if !t.config.isLog() {
		return
	}
	for i, v := range row {
		l := math.Log(float64(v) + t.config.Floor)
		if t.config.isScaled() {
			l = 2*(l-t.config.Min)/(t.config.Max-t.config.Min) - 1
			l = math.Max(-1, math.Min(1, l))
		}
		row[i] = float32(l)
	}
}

// check tells whether s is a spectrogram of t's kind.
func (t *Transform) check(s *Spectrogram) error {
	if s == nil {
		return fmt.Errorf("spectrogram: nothing to reconstruct from")
	}
	if s.Config != t.config {
		return fmt.Errorf("spectrogram: its config %+v is not the transform's %+v", s.Config, t.config)
	}
	if s.Bins != t.config.Bins() || s.Frames < 1 || len(s.Data) != s.Frames*s.Bins {
		return fmt.Errorf("spectrogram: %d values for %d frames of %d bins, want %d bins", len(s.Data), s.Frames, s.Bins, t.config.Bins())
	}
	return nil
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
