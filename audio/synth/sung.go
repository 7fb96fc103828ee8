package synth

import (
	"math"
	"math/rand/v2"
)

// chirp is a sliding whistle with a second harmonic: its pitch moves exponentially between one frequency and another one or
// two octaves higher. It rises more often than it falls.
func chirp(out []float64, rate float64, rng *rand.Rand) {
	from := pitch(rng, 350, 800)
	to := min(from*pitch(rng, 2, 4.5), 0.2*rate)
	if rng.Float64() < 0.3 {
		from, to = to, from
	}
	length := min(len(out), int(between(rng, 0.4, 0.65)*rate))
	second := between(rng, 0, 0.3)
	swell := between(rng, 0.15, 0.5) // the part of the length in which it comes and goes
	phase := 0.0
	for i := range length {
		u := float64(i) / float64(length)
		phase += 2 * math.Pi * from * math.Pow(to/from, u) / rate
		edge := min(1, u/swell, (1-u)/swell)
		envelope := 0.5 - 0.5*math.Cos(math.Pi*edge)
		out[i] = envelope * (math.Sin(phase) + second*math.Sin(2*phase))
	}
}

// vowels are the first three formants, in hertz, of five vowels of American men (Peterson and Barney, Control Methods
// Used in a Study of the Vowels, 1952; o after Fant's chart).
func vowels() [5][3]float64 {
	return [5][3]float64{
		{730, 1090, 2440}, // a as in hod
		{530, 1840, 2480}, // e as in head
		{270, 2290, 3010}, // i as in heed
		{570, 840, 2410},  // o as in hawed
		{300, 870, 2240},  // u as in who'd
	}
}

// vowel is a sung vowel: a glottal pulse train (Rosenberg's shape, 1971) with vibrato and breath through three
// resonances in cascade (Klatt, Software for a Cascade/Parallel Formant Synthesizer, 1980), as long or short vocal
// tracts have them.
func vowel(out []float64, rate float64, rng *rand.Rand) {
	f0 := pitch(rng, 95, 240)
	formants := vowels()[rng.IntN(5)]
	tract := between(rng, 0.95, 1.2)
	vibratoRate, vibratoDepth := between(rng, 4.5, 6.5), between(rng, 0.002, 0.02)
	breath := between(rng, 0.005, 0.03)
	glide := between(rng, -0.12, 0.12)
	attack, release := between(rng, 0.03, 0.09), between(rng, 0.08, 0.2)
	length := min(len(out), int(between(rng, 0.5, 0.75)*rate))

	phase, before := 0.0, 0.0
	for i := range length {
		t := float64(i) / rate
		f := f0 * (1 + glide*t + vibratoDepth*math.Sin(2*math.Pi*vibratoRate*t))
		phase += f / rate
		phase -= math.Floor(phase)
		flow := rosenberg(phase) + breath*(2*rng.Float64()-1)
		out[i] = flow - before // the lips radiate the derivative of the flow
		before = flow
	}
	for k, f := range formants {
		if f *= tract; f < 0.45*rate {
			bandwidth := 60 + 40*float64(k)
			r := resonance(f, bandwidth, rate)
			r.run(out[:length])
		}
	}
	for i := range length {
		t, left := float64(i)/rate, float64(length-i)/rate
		out[i] *= min(1, t/attack, left/release)
	}
}

// rosenberg is the flow through the glottis over one period: it opens for 40 %, closes for 16 %, rests.
func rosenberg(phase float64) float64 {
	const opening, closing = 0.40, 0.16
	switch {
	case phase < opening:
		return 0.5 - 0.5*math.Cos(math.Pi*phase/opening)
	case phase < opening+closing:
		return math.Cos(0.5 * math.Pi * (phase - opening) / closing)
	}
	return 0
}
