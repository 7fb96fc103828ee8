package sampling

import (
	"math"

	"wavemill/audio/spectrogram"
)

// fadeFrames is how many frames two segments overlap, at most.
const fadeFrames = 16

// A tape joins the sustained parts of spectrograms of one width to a longer one. Each fades in over the end of the one
// before; powers add, because a sum of logarithms would be quieter. Pan and width of two channels move from one to the other.
type tape struct {
	config  spectrogram.Config
	width   int         // values of a frame
	held    sustain     // in every segment
	pieces  [][]float32 // the segments
	overlap int
}

// newTape prepares to join segments, of which the first is the clip itself. Where their sustained parts are too short or
// lie apart, only the first is used.
func newTape(c spectrogram.Config, width int, segments [][]float32) (*tape, bool) {
	held := sustainOf(c, segments[0], width)
	if held.frames() == 0 {
		return nil, false
	}
	t := &tape{config: c, width: width, held: held, pieces: segments[:1]}
	for _, s := range segments[1:] {
		other := sustainOf(c, s, width)
		both := sustain{max(t.held.lo, other.lo), min(t.held.hi, other.hi)}
		if 4*both.frames() >= 3*held.frames() && both.frames() >= minSustain {
			t.held, t.pieces = both, append(t.pieces, s)
		}
	}
	t.overlap = min(fadeFrames, max(2, t.held.frames()/3))
	return t, true
}

// stride is how far segments lie apart at most.
func (t *tape) stride() int { return t.held.frames() - t.overlap }

// piece is the k-th segment: the clip itself, then the others in turn.
func (t *tape) piece(k int) []float32 {
	if k == 0 || len(t.pieces) == 1 {
		return t.pieces[0]
	}
	return t.pieces[1+(k-1)%(len(t.pieces)-1)]
}

// lay writes the sustained part of a segment to frame at of out. Its first frames fade in over what is there, unless the
// segment is the first.
func (t *tape) lay(out []float32, at int, segment []float32, first bool) {
	for i := range t.held.frames() {
		if (at+i+1)*t.width > len(out) {
			return
		}
		to, from := out[(at+i)*t.width:(at+i+1)*t.width], segment[(t.held.lo+i)*t.width:(t.held.lo+i+1)*t.width]
		if first || i >= t.overlap {
			copy(to, from)
			continue
		}
		w := (float64(i) + 0.5) / float64(t.overlap)
		levels := t.config.Levels()
		for j, v := range from[levels:] {
			to[levels+j] += float32(w) * (v - to[levels+j])
		}
		for j, v := range from[:levels] {
			to[j] = value(t.config, (1-w)*power(t.config, to[j])+w*power(t.config, v))
		}
	}
}

// long returns a sound of so many frames: the beginning of the clip, sustained parts, and the end of the last segment,
// which has used frames. seams are the frames in the middle of the fades.
func (t *tape) long(frames, used int) (out []float32, seams []int) {
	run := t.held.frames()
	before, after := t.held.lo, max(0, used-t.held.hi)
	middle := max(run, frames-before-after)
	n := 1 + int(math.Ceil(float64(middle-run)/float64(t.stride())))
	out = make([]float32, (before+middle+after)*t.width)
	copy(out, t.piece(0)[:before*t.width])
	at := before
	for k := range n {
		if n > 1 {
			at = before + k*(middle-run)/(n-1)
		}
		t.lay(out, at, t.piece(k), k == 0)
		if k > 0 {
			seams = append(seams, at+t.overlap/2)
		}
	}
	copy(out[(before+middle)*t.width:], t.piece(n - 1)[t.held.hi*t.width:used*t.width])
	return out, seams
}

// circle returns frames of a sound with a period of so many frames, and its beginning once more behind it, as far as more
// frames.
func (t *tape) circle(period, more int) (out []float32, seams []int) {
	n := max(1, int(math.Ceil(float64(period)/float64(t.stride()))))
	out = make([]float32, (period+more)*t.width)
	for k := 0; ; k++ {
		at := k * period / n
		if at >= period+more {
			return out, seams
		}
		t.lay(out, at, t.piece(k%n), k == 0)
		if k > 0 && at < period {
			seams = append(seams, at+t.overlap/2)
		}
	}
}
