package spectrogram

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mjibson/go-dsp/spectral"
	dspwindow "github.com/mjibson/go-dsp/window"
)

// TestPowerIsWelchs compares the mean power of frames with go-dsp's Welch estimate, an implementation of its own. Frames
// that reach over the clip's ends are left out: Welch's method has none.
func TestPowerIsWelchs(t *testing.T) {
	const n, hop, rate = 256, 64, 8000
	rng := rand.New(rand.NewPCG(1, 1))
	x, wide := make([]float32, n+40*hop), make([]float64, n+40*hop)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
		wide[i] = float64(x[i])
	}
	hann := func(n int) []float64 { return dspwindow.Hann(n + 1)[:n] }
	want, _ := spectral.Pwelch(wide, rate, &spectral.PwelchOptions{NFFT: n, Noverlap: n - hop, Window: hann})

	tr, err := New(Config{SampleRate: rate, NFFT: n, Hop: hop, Window: WindowHann, Scale: ScaleLinear, Value: ValuePower})
	if err != nil {
		t.Fatal(err)
	}
	s, err := tr.Forward(nil, x)
	if err != nil {
		t.Fatal(err)
	}
	norm := 0.0
	for _, w := range hann(n) {
		norm += w * w * rate
	}
	first, last := n/2/hop, s.Frames-1-n/2/hop
	for f, w := range want {
		got := 0.0
		for i := first; i <= last; i++ {
			got += float64(s.Data[i*s.Bins+f]) / norm / float64(last-first+1)
		}
		if f > 0 && f < n/2 {
			got *= 2 // a one-sided density
		}
		if math.Abs(got-w) > 1e-5*w {
			t.Errorf("bin %d: power %g, Welch's is %g", f, got, w)
		}
	}
}
