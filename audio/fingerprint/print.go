package fingerprint

import (
	"math"
	"math/bits"
	"slices"
	"sync"

	"wavemill/audio"
)

const (
	blockLen    = 32    // samples at printRate in a block: 4 ms
	maxBlocks   = 96    // blocks in a Print: 384 ms
	runBlocks   = 16    // blocks in each run of a long recording: 64 ms
	leastBlocks = 2     // blocks of a recording that gets a Print
	edgeBlocks  = 4     // blocks at each end that do not count, 16 ms; fewer of recordings below 128 ms
	trimPower   = 3e-5  // of the loudest block, -45 dB: quieter blocks at both ends are left out
	leastPower  = 1e-12 // of the loudest block: silence
	levelStep   = 3.0   // dB between levels
	topLevel    = 15    // the level of the loudest block
	loudLevel   = 7     // the least level of a loud block, 24 dB below the loudest
)

// run is a stretch of consecutive blocks.
type run struct {
	start  int      // samples at printRate from the start of the recording
	signs  []uint64 // bit i: the signal is positive at sample start+i
	levels []byte   // of each block: topLevel is the loudest of the recording, each step down is levelStep dB
	stable []uint64 // bit i: sample start+i lies in a loud block, and its neighbours have its sign; see newFrames
}

func (r *run) len() int { return len(r.levels) * blockLen }
func (r *run) end() int { return r.start + r.len() }

// frames is an unpacked Print.
type frames struct {
	envelope    bool // signs are those of the absolute value
	first, last int  // where the recording begins and ends, silence left out
	runs        []run

	stable int // stable samples
	turns  int // changes of sign in loud blocks
}

// A Maker makes fingerprints. It keeps what recordings of one rate share, filters and resamplers, so that code with many recordings
// uses one. The zero value is ready for use. It is safe for concurrent use and must not be copied after the first use.
type Maker struct {
	resamplers audio.Resamplers

	once sync.Once
	band bandPasses

	scratches sync.Pool // Of *scratch.
}

func (m *Maker) bandPasses() bandPasses {
	m.once.Do(func() { m.band = bandPasses{bandPass(innerRate, tapsHalf), halves(bandPass(printRate, tapsHalf/2))} })
	return m.band
}

// Of is [Maker.Of] of a new Maker, for a single recording.
func Of(c audio.Clip) Print { return new(Maker).Of(c) }

// Of returns the fingerprint of a recording. It is empty for recordings that only the digest can identify: silence, a
// constant, less than about 8 ms of sound, a sample rate below 2 kHz. Of works in memory proportional to the recording
// and may be called concurrently.
func (m *Maker) Of(c audio.Clip) Print {
	w, _ := m.scratches.Get().(*scratch)
	if w == nil {
		w = new(scratch)
	}
	defer m.scratches.Put(w)
	y, envelope := m.bandSignal(w, c)
	energy := blockEnergies(y)
	if len(energy) == 0 {
		return Print{}
	}
	top := slices.Max(energy)
	if !(top >= leastPower) || math.IsInf(top, 0) {
		return Print{}
	}
	lo, hi := 0, len(energy)
	for energy[lo] < trimPower*top {
		lo++
	}
	for energy[hi-1] < trimPower*top {
		hi--
	}
	f := frames{envelope: envelope, first: lo * blockLen, last: hi * blockLen}
	for _, at := range chooseRuns(energy[lo:hi]) {
		first := lo + at.first
		f.runs = append(f.runs, newRun(y, energy[first:first+at.blocks], first*blockLen, top))
	}
	return pack(&f)
}

// blockEnergies returns the power of each whole block of y, smoothed over five blocks (20 ms), so that a shift of the
// grid of blocks changes little.
func blockEnergies(y []float32) []float64 {
	raw := make([]float64, len(y)/blockLen)
	for i := range raw {
		raw[i] = power(y[i*blockLen : (i+1)*blockLen])
	}
	out := make([]float64, len(raw))
	for i := range raw {
		for k, w := range [5]float64{0.1, 0.2, 0.4, 0.2, 0.1} {
			if j := i + k - 2; j >= 0 && j < len(raw) {
				out[i] += float64(w * raw[j])
			}
		}
	}
	return out
}

// stretch is where a run lies, in blocks.
type stretch struct{ first, blocks int }

// chooseRuns returns what a Print keeps, in order: everything where it fits, else the loudest stretches of runBlocks.
// These keep a distance of at least 1/32 of the recording, so that they do not all lie in a part that is cut off.
func chooseRuns(energy []float64) []stretch {
	if len(energy) <= maxBlocks {
		return []stretch{{0, len(energy)}}
	}
	sums := make([]float64, len(energy)-runBlocks+1)
	for i := range sums {
		for _, e := range energy[i : i+runBlocks] {
			sums[i] += e
		}
	}
	apart := runBlocks
	for 2*apart <= len(energy)/16 {
		apart *= 2
	}
	var chosen []stretch
	for len(chosen) < maxBlocks/runBlocks {
		best, top := -1, 0.0
		for i, s := range sums {
			if s > top {
				best, top = i, s
			}
		}
		if best < 0 {
			break
		}
		chosen = append(chosen, stretch{best, runBlocks})
		clear(sums[max(0, best-apart+1):min(len(sums), best+apart)])
	}
	slices.SortFunc(chosen, func(a, b stretch) int { return a.first - b.first })
	return chosen
}

func newRun(y []float32, energy []float64, start int, top float64) run {
	r := run{start: start, levels: make([]byte, len(energy)), signs: make([]uint64, (len(energy)*blockLen+63)/64)}
	for b, e := range energy {
		r.levels[b] = byte(max(0, math.Round(topLevel+10/levelStep*math.Log10(max(e/top, 1e-9)))))
	}
	for i, v := range y[start : start+r.len()] {
		var positive uint64 // Not a branch: which way it goes cannot be predicted.
		if v > 0 {
			positive = 1
		}
		r.signs[i/64] |= positive << (i % 64)
	}
	return r
}

// prepare fills in what a comparison needs. A sample is stable where its block is loud and both neighbours have its
// sign: a shift of up to a sample, which any resampling brings, leaves it as it is. Samples near the recording's ends are
// not stable, because a cut changes what the band-pass makes of them.
func (f *frames) prepare() {
	edge := min(edgeBlocks, (f.last-f.first)/blockLen/8) * blockLen
	for k := range f.runs {
		r := &f.runs[k]
		loud := make([]uint64, len(r.signs))
		for b, l := range r.levels {
			if at := r.start + b*blockLen; l >= loudLevel && at >= f.first+edge && at+blockLen <= f.last-edge {
				loud[b*blockLen/64] |= (1<<blockLen - 1) << (b * blockLen % 64)
			}
		}
		r.stable = make([]uint64, len(r.signs))
		for i, s := range r.signs {
			after := s ^ (s>>1 | next(r.signs, i)<<63)
			before := s ^ (s<<1 | previous(r.signs, i)>>63)
			f.turns += bits.OnesCount64(after & loud[i])
			r.stable[i] = loud[i] &^ after &^ before
			f.stable += bits.OnesCount64(r.stable[i])
		}
	}
}

// next returns the word after word i; behind the last, one that continues with its last bit.
func next(words []uint64, i int) uint64 {
	if i+1 < len(words) {
		return words[i+1]
	}
	return words[i] >> 63
}

// previous returns the word before word i; before the first, one that ends with its first bit.
func previous(words []uint64, i int) uint64 {
	if i > 0 {
		return words[i-1]
	}
	return words[i] << 63
}
