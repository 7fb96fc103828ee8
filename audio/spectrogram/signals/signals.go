// Package signals makes the chirps and drums on which phase reconstruction is tested and timed.
// testdata/phase.py of package spectrogram makes the same ones for torchaudio.
package signals

import (
	"math"
	"slices"
)

// Rate is the signals' sample rate in Hz; each lasts one second.
const Rate = 44100

// Noise is n numbers in [-1, 1) of a linear congruential generator (the constants of Numerical Recipes), the same in any
// language.
func Noise(n int, seed uint32) []float64 {
	out := make([]float64, n)
	for i := range out {
		seed = seed*1664525 + 1013904223
		out[i] = float64(seed)/(1<<31) - 1
	}
	return out
}

// beats sums f of the time since each of four beats that have begun.
func beats(t float64, f func(since float64) float64) float64 {
	var sum float64
	for _, at := range []float64{0, 0.25, 0.5, 0.75} {
		if t >= at {
			sum += f(t - at)
		}
	}
	return sum
}

const tau = 2 * math.Pi

// kick is a sine that falls in pitch, on every beat.
func kick(t float64) float64 {
	return beats(t, func(b float64) float64 { return math.Exp(-b/0.08) * math.Sin(tau*(50*b-6*math.Exp(-b/0.03))) })
}

// decay falls by e in so many seconds, from every beat on.
func decay(t, seconds float64) float64 {
	return beats(t, func(b float64) float64 { return math.Exp(-b / seconds) })
}

// A recipe is a sample at time t, given noise and its first difference there.
type recipe func(t, noise, high float64) float64

func recipes() map[string]recipe {
	return map[string]recipe{
		"chirp-linear-up":   func(t, _, _ float64) float64 { return 0.5 * math.Sin(tau*(100*t+4950*t*t)) },
		"chirp-linear-down": func(t, _, _ float64) float64 { return 0.5 * math.Sin(tau*(15000*t-7000*t*t)) },
		"chirp-log":         func(t, _, _ float64) float64 { return 0.5 * math.Sin(tau*50*(math.Pow(200, t)-1)/math.Log(200)) },
		"chirp-harmonic": func(t, _, _ float64) float64 {
			var sum float64
			for k := 1.0; k < 9; k++ {
				sum += math.Sin(tau*k*(110*t+55*t*t)) / k
			}
			return 0.2 * sum
		},
		"chirp-vibrato": func(t, _, _ float64) float64 { return 0.5 * math.Sin(tau*880*t+30*math.Sin(tau*6*t)) },
		"drum-kick":     func(t, _, _ float64) float64 { return 0.8 * kick(t) },
		"drum-snare": func(t, noise, _ float64) float64 {
			return 0.4*decay(t, 0.05)*noise + 0.3*decay(t, 0.04)*math.Sin(tau*190*t)
		},
		"drum-hihat": func(t, _, high float64) float64 { return 0.25 * decay(t, 0.02) * high },
		"drum-loop": func(t, noise, high float64) float64 {
			return 0.5*kick(t) + 0.15*decay(t, 0.02)*high + 0.1*decay(t, 0.05)*noise
		},
	}
}

// Names lists the signals, sorted.
func Names() []string {
	var names []string
	for name := range recipes() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Make makes a signal of Names; it panics on any other name.
func Make(name string) []float32 {
	f, ok := recipes()[name]
	if !ok {
		panic("signals: there is no signal " + name)
	}
	noise := Noise(Rate, 1)
	x := make([]float32, Rate)
	last := 0.0
	for i := range x {
		x[i] = float32(f(float64(i)/Rate, noise[i], noise[i]-last))
		last = noise[i]
	}
	return x
}
