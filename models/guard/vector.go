package guard

import "math"

// The vector of an example: a picture of its spectrogram between its first and its last sound, which does not depend on
// its level, and its duration.
const (
	vectorFrames = 24
	vectorBands  = 20
	vectorSize   = vectorFrames*vectorBands + 1
	vectorRange  = 50 // dB below the loudest value that are seen
	vectorTrim   = 35 // dB below the loudest frame at which an example begins and ends
	secondScale  = 2  // weight of the natural logarithm of the number of frames
)

// vectorOf returns the vector of a spectrogram in dB, or nil where nothing in it is louder than the rest.
func vectorOf(db []float32, frames, bins int) []float32 {
	loudest, quietest := float32(math.Inf(-1)), float32(math.Inf(1))
	rows := make([]float32, frames)
	for t := range frames {
		rows[t] = float32(math.Inf(-1))
		for _, v := range db[t*bins : (t+1)*bins] {
			rows[t] = max(rows[t], v)
			quietest = min(quietest, v)
		}
		loudest = max(loudest, rows[t])
	}
	if !(loudest > quietest) {
		return nil
	}
	lo, hi := 0, frames
	for lo < hi-1 && rows[lo] < loudest-vectorTrim {
		lo++
	}
	for hi > lo+1 && rows[hi-1] < loudest-vectorTrim {
		hi--
	}
	out := make([]float32, vectorSize)
	for t := range vectorFrames {
		at := float64(lo) + float64(t)*float64(hi-1-lo)/(vectorFrames-1)
		first := int(at)
		next, part := min(first+1, hi-1), float32(at-math.Floor(at))
		for b := range vectorBands {
			from, to := b*bins/vectorBands, max((b+1)*bins/vectorBands, b*bins/vectorBands+1)
			var sum float32
			for f := from; f < min(to, bins); f++ {
				v := (1-part)*db[first*bins+f] + part*db[next*bins+f]
				sum += max(0, 1+(v-loudest)/vectorRange)
			}
			out[t*vectorBands+b] = sum / float32(to-from)
		}
	}
	out[vectorSize-1] = secondScale * float32(math.Log(float64(hi-lo)))
	return out
}
