package synth

import (
	"math"
	"math/rand/v2"
)

// pluck is a plucked string: a burst of noise circulates in a delay line of one period with a low-pass filter (Karplus
// and Strong, Digital Synthesis of Plucked-String and Drum Timbres, 1983), tuned by an all-pass (Jaffe and Smith,
// Extensions of the Karplus-Strong Plucked-String Algorithm, 1983).
func pluck(out []float64, rate float64, rng *rand.Rand) {
	f0 := pitch(rng, 110, 440)
	blend := between(rng, 0.35, 0.5) // 0.5 is the original average of two neighbours; less rings brighter
	halfLife := between(rng, 0.15, 0.5)
	pick := between(rng, 0.1, 0.4) // where along the string
	soft := between(rng, 0.2, 0.7) // how dull the pick is

	// The loop's delay is the line, the loss filter (blend samples at low frequencies) and the tuning all-pass.
	period := rate / f0
	line := make([]float64, int(period-blend-0.1))
	fraction := period - blend - float64(len(line))
	tuning := (1 - fraction) / (1 + fraction)
	loss := math.Pow(0.5, 1/(f0*halfLife))

	last := 0.0
	for i := range line {
		last = soft*last + (1-soft)*(2*rng.Float64()-1)
		line[i] = last
	}
	// Plucking at a point cancels the harmonics that have a node there.
	gap := max(1, int(pick*float64(len(line))))
	for i := len(line) - 1; i >= gap; i-- {
		line[i] -= line[i-gap]
	}
	removeMean(line)

	var before, allpassIn, allpassOut float64
	for i, at := 0, 0; i < len(out); i++ {
		x := line[at]
		out[i] = x
		y := loss * ((1-blend)*x + blend*before)
		before = x
		allpassOut = tuning*(y-allpassOut) + allpassIn
		allpassIn = y
		line[at] = allpassOut
		if at++; at == len(line) {
			at = 0
		}
	}
}

// kick is a bass drum: a sine whose pitch falls within a few hundredths of a second, with a click of noise.
func kick(out []float64, rate float64, rng *rand.Rand) {
	low := pitch(rng, 40, 70)
	drop := pitch(rng, 80, 260)
	fall := between(rng, 0.015, 0.05)
	decay := between(rng, 0.08, 0.25)
	click := between(rng, 0.05, 0.35)
	drive := between(rng, 1, 3)
	phase := 0.0
	for i := range out {
		t := float64(i) / rate
		phase += 2 * math.Pi * (low + drop*math.Exp(-t/fall)) / rate
		body := math.Tanh(drive*math.Sin(phase)) * math.Exp(-t/decay)
		out[i] = body + click*(2*rng.Float64()-1)*math.Exp(-t/0.004)
	}
}

// hihat is a pair of cymbals: six square waves in no harmonic relation, as analogue drum machines had them, and
// noise, all high-passed, closed (short) or half open.
func hihat(out []float64, rate float64, rng *rand.Rand) {
	ratios := [...]float64{2, 3, 4.16, 5.43, 6.79, 8.21}
	base := pitch(rng, 180, 320)
	metal := between(rng, 0.2, 0.8)
	decay := pitch(rng, 0.03, 0.18)
	cutoff := min(pitch(rng, 4500, 8000), 0.3*rate)
	var phase [len(ratios)]float64
	for p := range phase {
		phase[p] = rng.Float64()
	}
	for i := range out {
		square := 0.0
		for p, ratio := range ratios {
			phase[p] += ratio * base / rate
			phase[p] -= math.Floor(phase[p])
			if phase[p] < 0.5 {
				square++
			} else {
				square--
			}
		}
		noise := 2*rng.Float64() - 1
		out[i] = metal*square/float64(len(ratios)) + (1-metal)*noise
	}
	high := highPass(cutoff, rate)
	high.run(out)
	high.reset()
	high.run(out)
	for i := range out {
		t := float64(i) / rate
		out[i] *= math.Exp(-t/decay) * min(1, t/0.001)
	}
}

// bell is a sum of inharmonic partials, the higher ones dying sooner; the ratios are those of Risset's bell (Jean-Claude
// Risset, An Introductory Catalogue of Computer Synthesized Sounds, 1969), each detuned a little by the seed.
func bell(out []float64, rate float64, rng *rand.Rand) {
	partials := [...]struct{ ratio, level, decay float64 }{
		{0.56, 1, 1},
		{0.92, 0.67, 0.9},
		{1.19, 1, 0.65},
		{1.71, 1.8, 0.55},
		{2, 2.67, 0.325},
		{2.74, 1.67, 0.35},
		{3, 1.46, 0.25},
		{3.76, 1.33, 0.2},
		{4.07, 1.33, 0.15},
	}
	f0 := pitch(rng, 320, 900)
	ring := between(rng, 0.25, 0.6)
	bright := between(rng, 0.6, 1.2)
	for p, partial := range partials {
		f := f0 * partial.ratio * between(rng, 0.985, 1.015)
		phase := 2 * math.Pi * rng.Float64()
		level := partial.level * math.Pow(bright, float64(p))
		if f > 0.45*rate {
			continue
		}
		for i := range out {
			t := float64(i) / rate
			out[i] += level * math.Exp(-t/(ring*partial.decay)) * min(1, t/0.002) * math.Sin(2*math.Pi*f*t+phase)
		}
	}
}

func removeMean(x []float64) {
	mean := 0.0
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	for i := range x {
		x[i] -= mean
	}
}
