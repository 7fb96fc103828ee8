package frontend

import (
	"math"

	"wavemill/audio"
	"wavemill/audio/stereo"
)

// What makes a sound a one-shot: it is loudest at its beginning, and does not begin again.
const (
	struckShare  = 2. / 3 // of the recordings, for a front end for one-shots
	struckPart   = 100    // parts a second whose power is compared: 10 ms
	struckPeak   = 5      // parts before which a stroke is loudest: 50 ms
	struckSmooth = 2      // parts either side of which the mean is taken: bursts of a clap, or a drum's flutter, are one stroke
	struckFloor  = -40    // dB below the peak; later rises below it are reverberation and noise
	struckRise   = 9      // dB; more after a stroke is another one
)

// struckOnce reports whether a clip is one stroke that decays, as of a drum, a bell or a plucked string.
func struckOnce(c audio.Clip) bool {
	one, err := stereo.Downmix(audio.TrimSilence(c, trimDecay))
	if err != nil || one.Rate < struckPart || len(one.Samples) == 0 {
		return false
	}
	part := one.Rate / struckPart
	power := make([]float64, (len(one.Samples)+part-1)/part)
	loudest := 0
	for i, v := range one.Samples {
		power[i/part] += float64(v) * float64(v)
	}
	for i, p := range power {
		if p > power[loudest] {
			loudest = i
		}
	}
	if loudest >= struckPeak {
		return false
	}
	floor, lowest := 0., math.Inf(1)
	for i := range power {
		var mean float64
		for _, p := range power[max(i-struckSmooth, 0):min(i+struckSmooth+1, len(power))] {
			mean += p
		}
		mean /= 2*struckSmooth + 1
		floor = max(floor, mean*math.Pow(10, struckFloor/10.))
		if i < loudest {
			continue
		}
		lowest = min(lowest, mean)
		if mean > floor && mean > lowest*math.Pow(10, struckRise/10.) {
			return false
		}
	}
	return true
}

// areStruck reports whether most clips are one-shots.
func areStruck(clips []audio.Clip) bool {
	n, struck := 0, 0
	for _, c := range clips {
		if Usable(c) != nil {
			continue
		}
		n++
		if struckOnce(c) {
			struck++
		}
	}
	return float64(struck) >= struckShare*float64(n)
}
