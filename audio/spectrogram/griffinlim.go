package spectrogram

import (
	"github.com/tphakala/simd/f32"
)

// A refinement runs Griffin-Lim iterations. Its memory is the Transform's, which the next clip overwrites. It holds the magnitude in blocks of rows, and the previous iteration for the
// momentum of fast Griffin-Lim.
//
// Mel features do not determine the magnitude. For them, each iteration also takes the magnitudes of the current signal,
// corrected to the given mel values, as the next target: fine structure such as harmonics returns, and the error of
// the mel values is about a third (after the bi-level consistency of Masuyama, Ueno and Ono,
// "Signal reconstruction from mel-spectrogram based on bi-level consistency of full-band magnitude and phase", 2023).
type refinement struct {
	t         *Transform
	frames, n int
	lead      int       // samples of silence at the beginning
	magnitude []float32 // [block][bin][lane]
	previous  []float32 // [block][bin][re, im][lane]
	next      []float32 // overlapped frames of the coming iteration

	mels   []float32 // [block][mel][lane]: the values to reach; nil if not from mels
	wanted []float32 // the memory of mels
	share  []float32 // rows of bins: the factors of one block's magnitudes
}

// blocks is the number of blocks of frames.
func (r *refinement) blocks() int { return (r.frames + r.t.lanes - 1) / r.t.lanes }

// newRefinement prepares iterations on n samples towards a magnitude, frames by NFFT/2+1.
func (t *Transform) newRefinement(magnitude []float32, n int) *refinement {
	r := &t.refinement
	r.t, r.frames, r.n, r.lead, r.mels = t, len(magnitude)/t.linear, n, 0, nil
	size := t.linear * t.lanes
	r.magnitude = t.rows(r.magnitude, r.blocks()*t.linear)
	r.previous = t.rows(r.previous, 2*r.blocks()*t.linear)
	clear(r.previous)
	for b := range r.blocks() {
		f := b * t.lanes
		t.gatherAny(r.magnitude[b*size:(b+1)*size], magnitude[f*t.linear:], t.linear, r.frames-f)
	}
	return r
}

// rows returns n rows of a lane for each frame of a block, x itself where it is large enough. Its values are anything.
func (t *Transform) rows(x []float32, n int) []float32 {
	if size := n * t.lanes; cap(x) >= size {
		return x[:size]
	}
	return t.batch.Rows(n)
}

// follow makes r correct the magnitude towards mel values, frames by Mels, in every iteration.
func (r *refinement) follow(mel []float32) {
	t := r.t
	mels := t.config.Mels
	r.wanted, r.share = t.rows(r.wanted, r.blocks()*mels), t.rows(r.share, t.linear)
	r.mels = r.wanted
	for b := range r.blocks() {
		f := b * t.lanes
		t.gatherAny(r.mels[f*mels:(f+t.lanes)*mels], mel[f*mels:], mels, r.frames-f)
	}
}

// tinyMel keeps the ratio of mel values finite: far below any value that a Floor leaves.
const tinyMel = 1e-9

// correct gives block b the magnitudes of the spectra in rows, each bin multiplied by the mean ratio of target to current
// value of its mel filters. With t.tonal, bins below the lowest filter keep their magnitudes: were they silent, tones below the
// first bins would lose their lower side, and 27 Hz would come back as 32 Hz. Other bins without a filter are silent.
func (r *refinement) correct(b int, rows []float32) {
	t := r.t
	mels, size := t.config.Mels*t.lanes, t.linear*t.lanes
	magnitude := r.magnitude[b*size : (b+1)*size]
	t.batch.Magnitude(magnitude, rows)
	values := magnitude
	if t.config.isPower() {
		values = t.magnitude
		f32.Mul(values, magnitude, magnitude)
	}
	t.batch.Apply(t.feature, values, t.filters)
	f32.AddScalar(t.feature, t.feature, tinyMel)
	f32.Div(t.feature, r.mels[b*mels:(b+1)*mels], t.feature)
	t.batch.Apply(r.share, t.feature, t.inverse.shares)
	if t.config.isPower() {
		f32.Sqrt(r.share, r.share)
	}
	if t.tonal {
		for i := range t.bands[0].first * t.lanes {
			r.share[i] = 1
		}
	}
	f32.Mul(magnitude, magnitude, r.share)
}

// gatherAny is gather for any number of rows.
func (t *Transform) gatherAny(dst, src []float32, rows, frames int) {
	clear(dst[:rows*t.lanes])
	for l := range min(frames, t.lanes) {
		for i, v := range src[l*rows : (l+1)*rows] {
			dst[i*t.lanes+l] = v
		}
	}
}

// run does iterations of fast Griffin-Lim (Perraudin, Balazs and Søndergaard 2013; momentum 0 is Griffin and Lim 1984)
// from the spectrum s, time-major, and returns the signal. Each iteration computes the signal closest to the spectrum and
// its STFT, adds momentum, and sets the given magnitude.
func (r *refinement) run(s []complex64, iterations int, momentum float64) []float32 {
	t := r.t
	hop := t.config.Hop
	factor := float32(momentum / (1 + momentum))
	sum := t.overlap(s, r.frames)
	r.next = grow(r.next, len(sum))
	size := t.linear * t.lanes
	for range iterations {
		r.normalise(sum)
		clear(r.next)
		for b := range r.blocks() {
			rows := t.batch.Forward(sum[b*t.lanes*hop:], hop)
			if r.mels != nil {
				r.correct(b, rows)
			}
			t.batch.Project(rows, r.previous[b*2*size:(b+1)*2*size], r.magnitude[b*size:(b+1)*size], factor)
			t.batch.Inverse(r.next[b*t.lanes*hop:], hop, rows)
		}
		sum, r.next = r.next, sum
	}
	return t.finish(nil, sum, r.frames, r.n)
}

// normalise turns overlapped frames into the signal for the next STFT: divided by the squared windows, and continued
// outside its bounds as the Config says.
func (r *refinement) normalise(sum []float32) {
	t := r.t
	half := t.config.NFFT / 2
	gain := t.gain.of(t.window, t.config.Hop, r.frames)
	n := min(r.n, len(gain)-half)
	x := sum[half : half+n]
	f32.Mul(x, x, gain[half:half+n])
	clear(sum[:half+min(r.lead, n)])
	clear(sum[half+n:])
	if t.config.Pad == PadReflect && n > 0 {
		for i := range half {
			sum[half-1-i] = mirrored(x, -1-i)
		}
		for i := half + n; i < len(gain); i++ {
			sum[i] = mirrored(x, i-half)
		}
	}
}
