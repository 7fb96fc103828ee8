package spectrogram

import (
	"math"
	"testing"

	"wavemill/audio/spectrogram/signals"
)

// mostFlutter is how much the level of noise may move after a round trip, over what it does before.
const mostFlutter = 1.15

// TestMelRoundTrip sends recordings, chirps, drums and noise through mel magnitudes and back: none may be farther from its
// round trip, in log-spectral distance, than librosa's, which testdata/mel.py measured on the same mel values.
func TestMelRoundTrip(t *testing.T) {
	var librosa struct{ DB map[string]float64 }
	readJSON(t, "testdata/librosa_mel.json", &librosa)
	clips := synthetic()
	clips["noise"] = noise()
	for name, x := range clips {
		compareMel(t, name, x, signals.Rate, librosa.DB)
	}
	for name, x := range recordings(t) {
		compareMel(t, name, x, 8000, librosa.DB)
	}
}

// compareMel compares the round trip of a signal, if librosa's was measured.
func compareMel(t *testing.T, name string, x []float32, rate int, librosa map[string]float64) {
	t.Helper()
	limit, measured := librosa[name]
	if !measured {
		return
	}
	y := melRoundTrip(t, x, rate)
	db := logSpectralDistance(t, x, y, rate)
	t.Logf("%-20s %.2f dB, librosa %.2f dB", name, db, limit)
	if !(db < limit) {
		t.Errorf("%s: a round trip through mel magnitudes changes spectra by %.2f dB, librosa's by %.2f dB", name, db, limit)
	}
}

// TestMelRoundTripKeepsNoiseSmooth: phases that are integrated over the bins of wide filters turn noise into pulses.
func TestMelRoundTripKeepsNoiseSmooth(t *testing.T) {
	x := benchNoise(2 * signals.Rate)
	before := levelDeviation(t, x)
	for _, method := range []string{MethodMixed, MethodFGLA} {
		tr, s := melOf(t, x, signals.Rate)
		y, err := tr.Reconstruct(s, len(x), Phase{Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if after := levelDeviation(t, y); after > mostFlutter*before {
			t.Errorf("%s: the level of noise moves by %.2f dB, before the round trip by %.2f dB", method, after, before)
		}
	}
}

func noise() []float32 {
	x := make([]float32, signals.Rate)
	for i, v := range signals.Noise(len(x), 1) {
		x[i] = float32(0.3 * v)
	}
	return x
}

// melOf returns the mel magnitudes of x and their transform.
func melOf(t *testing.T, x []float32, rate int) (*Transform, *Spectrogram) {
	t.Helper()
	c := Default(rate)
	c.Value, c.Floor, c.Min, c.Max = ValueMagnitude, 0, 0, 0
	tr, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := tr.Forward(nil, x)
	if err != nil {
		t.Fatal(err)
	}
	return tr, s
}

func melRoundTrip(t *testing.T, x []float32, rate int) []float32 {
	t.Helper()
	tr, s := melOf(t, x, rate)
	y, err := tr.Reconstruct(s, len(x), Phase{Method: MethodMixed})
	if err != nil {
		t.Fatal(err)
	}
	return y
}

// logSpectralDistance is that of testdata/mel.py.
func logSpectralDistance(t *testing.T, x, y []float32, rate int) float64 {
	t.Helper()
	n := 64
	for n*3/2 < rate*32/1000 {
		n *= 2
	}
	c := linear(rate, n)
	c.Pad, c.Value = PadZero, ValuePower
	tr, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	a, errA := tr.Forward(nil, x)
	b, errB := tr.Forward(nil, y)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	var top float64
	for _, v := range a.Data {
		top = max(top, float64(v))
	}
	floor := 1e-6 * top
	var sum float64
	sounding := 0
	for f := range a.Frames {
		var squares, loudest float64
		for k := f * a.Bins; k < (f+1)*a.Bins; k++ {
			p, q := float64(a.Data[k]), float64(b.Data[k])
			d := 10 * math.Log10(max(p, floor)/max(q, floor))
			squares, loudest = squares+d*d, max(loudest, p)
		}
		if loudest > floor {
			sum += math.Sqrt(squares / float64(a.Bins))
			sounding++
		}
	}
	return sum / float64(sounding)
}

// levelDeviation is the standard deviation in dB of the level of 3 ms of x between 2 and 16 kHz, without its ends.
func levelDeviation(t *testing.T, x []float32) float64 {
	t.Helper()
	tr, err := New(linear(signals.Rate, 1024))
	if err != nil {
		t.Fatal(err)
	}
	spectrum := tr.STFT(nil, x)
	for i := range spectrum {
		if hz := float64(i%tr.linear) * signals.Rate / 1024; hz < 2000 || hz > 16000 {
			spectrum[i] = 0
		}
	}
	power := meanPower(tr.ISTFT(nil, spectrum, len(x)), signals.Rate*3/1000)
	var sum, squares, n float64
	for i := signals.Rate / 10; i < len(power)-signals.Rate/10; i += 44 {
		db := 10 * math.Log10(power[i])
		sum, squares, n = sum+db, squares+db*db, n+1
	}
	return math.Sqrt(squares/n - sum*sum/n/n)
}
