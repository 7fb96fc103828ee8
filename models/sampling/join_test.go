package sampling

import (
	"math"
	"testing"

	"wavemill/audio/spectrogram"
)

// held are frames of two channels: levels that fall by so much a frame, and a pan, without width.
func held(c spectrogram.Config, frames int, fall, pan float32) []float32 {
	var data []float32
	for t := range frames {
		for range c.Levels() {
			data = append(data, max(-1, -fall*float32(t)))
		}
		for range spectrogram.StereoBands {
			data = append(data, pan)
		}
		for range spectrogram.StereoBands {
			data = append(data, -1)
		}
	}
	return data
}

// TestJoinedImages: where segments are joined, pan moves in a straight line from one to the other, and levels stay; pan and
// width are no levels by which a sound that decays would be held.
func TestJoinedImages(t *testing.T) {
	c := spectrogram.Default(16000)
	c.Channels = 2
	const frames = 24
	left, right := held(c, frames, 0, -0.5), held(c, frames, 0, 0.5)
	tape, ok := newTape(c, c.Bins(), [][]float32{left, right})
	if !ok || len(tape.pieces) != 2 {
		t.Fatalf("%+v", tape)
	}
	out, seams := tape.long(frames+tape.stride(), frames)
	if len(seams) != 1 {
		t.Fatalf("seams %v", seams)
	}
	first := seams[0] - tape.overlap/2
	for f := range len(out) / c.Bins() {
		row := out[f*c.Bins():][:c.Bins()]
		part := min(max((float64(f-first)+0.5)/float64(tape.overlap), 0), 1)
		if pan := row[c.Levels()]; math.Abs(float64(pan)-(part-0.5)) > 1e-5 || math.Abs(float64(row[0])) > 1e-5 || row[c.Bins()-1] != -1 {
			t.Errorf("frame %d: level %g, pan %g, width %g; want a pan of %g", f, row[0], pan, row[c.Bins()-1], part-0.5)
		}
	}
	if tape, ok := newTape(c, c.Bins(), [][]float32{held(c, frames, 0.1, 0.9)}); ok {
		t.Errorf("a sound that decays on the right is held in %+v", tape.held)
	}
}
