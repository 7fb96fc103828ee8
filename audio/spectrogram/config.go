package spectrogram

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Names of the options of a Config.
const (
	WindowHann     = "hann"     // periodic Hann, 0.5 - 0.5 cos(2 pi i / n)
	WindowHamming  = "hamming"  // periodic Hamming, 0.54 - 0.46 cos(2 pi i / n)
	WindowGaussian = "gaussian" // truncated Gaussian with the time-frequency ratio of a Hann window

	ScaleLinear  = "linear"   // one value per transform bin
	ScaleMel     = "mel"      // triangular filters on the mel scale
	ScaleOneShot = "one-shot" // filters in two resolutions of time and frequency, frames that grow longer; see oneShot

	FormulaSlaney = "slaney" // linear below 1 kHz, logarithmic above (Slaney's Auditory Toolbox, librosa's default)
	FormulaHTK    = "htk"    // 2595 log10(1 + f/700)
	FormulaKnee   = "knee"   // one filter per transform bin below Config.Knee, logarithmic above

	NormSlaney = "slaney" // each filter has unit area in Hz
	NormNone   = "none"   // each filter peaks at 1

	ValueMagnitude = "magnitude" // |X|
	ValuePower     = "power"     // |X|^2
	ValueLog       = "log"       // ln(|X| + Floor)
	ValueLogPower  = "log-power" // ln(|X|^2 + Floor)

	PadZero    = "zero"    // x is zero outside its bounds; the zero value of Config.Pad
	PadReflect = "reflect" // x is mirrored at its ends, as torch.stft does by default
)

// Limits of a Config: far above any practical value, and low enough to bound the memory that a hostile Config needs.
const (
	maxNFFT       = 1 << 17 // Three seconds at 44.1 kHz.
	maxMels       = 1 << 14
	maxWeights    = 1 << 26 // n_fft times mels; beyond it, the filters take a minute and gigabytes to make.
	maxSampleRate = 1 << 24
)

// A Config describes how samples become a spectrogram, and therefore the way back. Every Spectrogram holds its Config, and
// every checkpoint stores it as JSON.
type Config struct {
	SampleRate  int     `json:"sample_rate"`            // Hz
	NFFT        int     `json:"n_fft"`                  // samples per frame, also the window's length
	Hop         int     `json:"hop"`                    // samples between frames, at most NFFT/2
	HopGrowth   int     `json:"hop_growth,omitempty"`   // one-shot only: frames after which the hop doubles; 0: it stays
	ShortNFFT   int     `json:"short_n_fft,omitempty"`  // one-shot only: samples per frame above Crossover
	Crossover   float64 `json:"crossover,omitempty"`    // one-shot only: Hz; tones below, noise above
	Window      string  `json:"window"`                 // "hann", "hamming" or "gaussian"
	Pad         string  `json:"pad,omitempty"`          // "zero" (also "") or "reflect"
	Scale       string  `json:"scale"`                  // "linear", "mel" or "one-shot"
	Mels        int     `json:"mels,omitempty"`         // filters, for the mel and the one-shot scale
	FMin        float64 `json:"f_min"`                  // Hz, lower edge of the lowest filter
	FMax        float64 `json:"f_max"`                  // Hz, upper edge of the highest filter; 0 is SampleRate/2
	MelFormula  string  `json:"mel_formula,omitempty"`  // "slaney" (also ""), "htk" or "knee"
	Knee        float64 `json:"knee,omitempty"`         // Hz up to which the knee formula has a filter per bin
	MelNorm     string  `json:"mel_norm,omitempty"`     // "slaney" (also "") or "none"
	DropNyquist bool    `json:"drop_nyquist,omitempty"` // linear only: leave out the last bin, so that Bins is NFFT/2
	Value       string  `json:"value"`                  // "magnitude", "power", "log" or "log-power"
	Floor       float64 `json:"floor,omitempty"`        // added before the logarithm
	Min         float64 `json:"min"`                    // logarithm that becomes -1
	Max         float64 `json:"max"`                    // logarithm that becomes +1; Min == Max leaves values unscaled
	Tilt        float64 `json:"tilt,omitempty"`         // one-shot only: dB per octave that levels are raised by, about 1 kHz
	Persistence bool    `json:"persistence,omitempty"`  // one-shot only: a mark says how much of the sound rings on
	Channels    int     `json:"channels,omitempty"`     // 2: the last StereoBins bins of a frame say where its sound is; 0: mono
}

// Default is the log-mel front end for models of a given rate: frames of about 64 ms (a power of two), a quarter of it
// as hop, Slaney mels from 20 Hz to half the rate, logarithm above a floor of 1e-3, scaled to [-1, 1] so that silence is
// -1 and a full-scale sine at the loudest filter is +1.
func Default(sampleRate int) Config {
	n := 64
	for float64(n)*math.Sqrt2 < 0.064*float64(sampleRate) {
		n *= 2
	}
	mels := 64
	switch {
	case sampleRate > 24000:
		mels = 128
	case sampleRate > 8000:
		mels = 80
	}
	c := Config{
		SampleRate: sampleRate, NFFT: n, Hop: n / 4, Window: WindowHann,
		Scale: ScaleMel, Mels: mels, FMin: 20, FMax: float64(sampleRate) / 2, MelFormula: FormulaSlaney, MelNorm: NormSlaney,
		Value: ValueLog, Floor: 1e-3,
	}
	return c.Scaled()
}

// Scaled returns c with the Min and Max of Default: silence is -1 and a full-scale sine at the loudest filter +1. A
// config without a logarithm, and one that is not valid, stays as it is.
func (c Config) Scaled() Config {
	if c.Validate() != nil || !c.isLog() {
		return c
	}
	peak := float64(c.NFFT) / 2
	if c.Scale == ScaleMel {
		var weight float64
		for _, b := range melBands(c) {
			for _, w := range b.weights {
				weight = math.Max(weight, float64(w))
			}
		}
		peak = weight * float64(c.NFFT) / 2
	}
	if c.isPower() {
		peak *= float64(c.NFFT) / 2
	}
	c.Min = math.Log(c.Floor)
	c.Max = math.Log(c.Floor + peak)
	return c
}

// Bins is the number of values per frame, F: the levels, the marks and the stereo image.
func (c Config) Bins() int {
	if c.Channels == 2 {
		return c.Mono().Bins() + StereoBins
	}
	switch {
	case c.Scale == ScaleOneShot:
		return c.Mels + c.Marks()
	case c.Scale == ScaleMel:
		return c.Mels
	case c.DropNyquist:
		return c.NFFT / 2
	}
	return c.NFFT/2 + 1
}

// Validate reports everything that is wrong with c.
func (c Config) Validate() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("spectrogram config: %s: %s", field, fmt.Sprintf(format, args...)))
	}
	if c.SampleRate < 1 || c.SampleRate > maxSampleRate {
		bad("sample_rate", "%d is not between 1 and %d Hz", c.SampleRate, maxSampleRate)
	}
	if c.NFFT < 4 || c.NFFT > maxNFFT {
		bad("n_fft", "%d is not between 4 and %d", c.NFFT, maxNFFT)
	}
	if c.Hop < 1 || c.Hop > c.NFFT/2 {
		bad("hop", "%d is not between 1 and n_fft/2 = %d; a longer hop loses samples", c.Hop, c.NFFT/2)
	}
	oneOf(bad, "window", c.Window, WindowHann, WindowHamming, WindowGaussian)
	oneOf(bad, "pad", c.Pad, "", PadZero, PadReflect)
	oneOf(bad, "scale", c.Scale, ScaleLinear, ScaleMel, ScaleOneShot)
	oneOf(bad, "value", c.Value, ValueMagnitude, ValuePower, ValueLog, ValueLogPower)
	if c.Scale != ScaleLinear {
		c.validateMel(bad)
	}
	c.validateOneShot(bad)
	c.validateRange(bad)
	if c.Channels != 0 && c.Channels != 2 {
		bad("channels", "%d is neither 2 nor left out", c.Channels)
	}
	return errors.Join(errs...)
}

func (c Config) validateMel(bad func(field, format string, args ...any)) {
	if c.Mels < 1 || c.Mels > min(maxMels, c.NFFT) {
		bad("mels", "%d is not between 1 and %d", c.Mels, min(maxMels, c.NFFT))
	} else if c.NFFT > maxWeights/c.Mels {
		bad("mels", "%d times n_fft %d is more than %d; use fewer of either", c.Mels, c.NFFT, maxWeights)
	}
	top := c.fMax()
	if !(c.FMin >= 0) || !(top > c.FMin) || !(top <= float64(c.SampleRate)/2) {
		bad("f_min, f_max", "%g to %g Hz is not a range within 0 to %g Hz", c.FMin, top, float64(c.SampleRate)/2)
	}
	oneOf(bad, "mel_formula", c.MelFormula, "", FormulaSlaney, FormulaHTK, FormulaKnee)
	if (c.MelFormula == FormulaKnee) != (c.Knee > 0) {
		bad("knee", "%g Hz: the knee formula has one, and no other", c.Knee)
	}
	oneOf(bad, "mel_norm", c.MelNorm, "", NormSlaney, NormNone)
	if c.DropNyquist {
		bad("drop_nyquist", "only a linear scale has a Nyquist bin to drop")
	}
}

func (c Config) validateRange(bad func(field, format string, args ...any)) {
	if c.isLog() && !(c.Floor > 0 && c.Floor < math.MaxFloat32) {
		bad("floor", "%g: a logarithm needs a floor above zero", c.Floor)
	}
	if math.IsNaN(c.Min) || math.IsNaN(c.Max) || math.IsInf(c.Max-c.Min, 0) || c.Min > c.Max {
		bad("min, max", "%g to %g is not a range", c.Min, c.Max)
	}
}

func oneOf(bad func(field, format string, args ...any), field, value string, allowed ...string) {
	if slices.Contains(allowed, value) {
		return
	}
	if allowed[0] == "" {
		allowed = allowed[1:]
	}
	bad(field, "%q is not one of %q", value, allowed)
}

func (c Config) fMax() float64 {
	if c.FMax == 0 {
		return float64(c.SampleRate) / 2
	}
	return c.FMax
}

func (c Config) isLog() bool { return c.Value == ValueLog || c.Value == ValueLogPower }

// isPower reports whether the filters and the logarithm apply to |X|^2 rather than |X|.
func (c Config) isPower() bool { return c.Value == ValuePower || c.Value == ValueLogPower }

func (c Config) isScaled() bool { return c.Min < c.Max }
