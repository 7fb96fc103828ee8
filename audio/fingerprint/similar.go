package fingerprint

import (
	"math"
	"math/bits"
)

// The limits of the comparison were chosen on the copies and the pairs of the package comment.
const (
	leastStable  = 48    // samples to compare
	wholeCover   = 0.7   // share of one Print's stable samples that the other must hold
	runsCover    = 0.3   // the same where a recording is longer than its Print, which may then hold other parts
	fullCover    = 0.6   // below this share, agreePart is asked
	agreePart    = 0.975 // least agreement of a part
	extentCover  = 0.65  // share of the shorter recording that must overlap the longer
	mostSpread   = 2.2   // dB; standard deviation of the difference of levels
	agreeMany    = 0.80  // least agreement of signals with many changes of sign
	agreeMargin  = 1.9   // more is asked of signals with few: agreeMargin / sqrt(changes of sign)
	agreeHighest = 0.96  // but never more than this
)

// Similar reports whether two fingerprints are of the same recording; see the package comment for what counts as the
// same. It is symmetric. An empty Print is similar to nothing, not even to itself. It tries every alignment, which takes
// about 0.1 ms; use an Index to find copies among many.
func Similar(a, b Print) bool {
	_, ok := compare(a, b)
	return ok
}

// Score returns how well the signs of two fingerprints agree where they are aligned best, from 0 (not at all) to 1. It
// is 0 where no alignment meets the other conditions of Similar. Different recordings have up to about 0.8, copies 0.9
// to 1. What Similar asks depends on the recording as well: more of one that has few changes of sign.
func Score(a, b Print) float64 {
	score, _ := compare(a, b)
	return score
}

func compare(a, b Print) (score float64, ok bool) {
	if a.IsZero() || b.IsZero() {
		return 0, false
	}
	fa, errA := a.unpack()
	fb, errB := b.unpack()
	if errA != nil || errB != nil || fa.envelope != fb.envelope {
		return 0, false
	}
	best := -1.0
	lo, hi := offsets(fa, fb)
	for offset := lo; offset <= hi; offset++ {
		s, margin := agreement(fa, fb, offset)
		if margin > best && spread(fa, fb, offset) <= mostSpread {
			score, best = s, margin
		}
	}
	return score, best >= 0
}

// offsets returns the least and the greatest offset at which the recordings overlap enough: sample i of a lies on
// sample i+offset of b.
func offsets(a, b *frames) (lo, hi int) {
	need := int(math.Ceil(extentCover * float64(min(a.last-a.first, b.last-b.first))))
	return b.first + need - a.last, b.last - need - a.first
}

// overlap is what is counted at one offset: stable samples of a that b holds, those of them whose signs differ, and the
// same of b.
type overlap struct{ a, diffA, b, diffB int }

// overlapAt compares sample i of a with sample i+offset of b.
func overlapAt(a, b *frames, offset int) overlap {
	var o overlap
	for i := range a.runs {
		ra := &a.runs[i]
		for j := range b.runs {
			rb := &b.runs[j]
			lo, hi := max(ra.start, rb.start-offset), min(ra.end(), rb.end()-offset)
			for at := lo; at < hi; at += 64 {
				ia, ib := at-ra.start, at+offset-rb.start
				x := wordAt(ra.signs, ia) ^ wordAt(rb.signs, ib)
				ma, mb := wordAt(ra.stable, ia), wordAt(rb.stable, ib)
				if left := hi - at; left < 64 {
					ma, mb = ma&(1<<left-1), mb&(1<<left-1)
				}
				o.a += bits.OnesCount64(ma)
				o.diffA += bits.OnesCount64(x & ma)
				o.b += bits.OnesCount64(mb)
				o.diffB += bits.OnesCount64(x & mb)
			}
		}
	}
	return o
}

// wordAt returns 64 bits of b from bit i on; bits beyond its end are 0.
func wordAt(b []uint64, i int) uint64 {
	w, s := i>>6, uint(i&63)
	if w >= len(b) {
		return 0
	}
	v := b[w] >> s
	if s > 0 && w+1 < len(b) {
		v |= b[w+1] << (64 - s)
	}
	return v
}

// agreement returns how well signs agree at an offset, 1 for all of them or none (a copy with inverted polarity), and by
// how much that exceeds what is asked; a negative margin is no match. It is the better of two views: the stable samples
// of a and those of b. After a cut, one recording's loud part may be a quiet part of the other.
func agreement(a, b *frames, offset int) (score, margin float64) {
	o := overlapAt(a, b, offset)
	cover := wholeCover
	if len(a.runs) > 1 || len(b.runs) > 1 {
		cover = runsCover
	}
	score, margin = 0, -1
	for _, v := range [2]struct {
		n, diff int
		f       *frames
	}{{o.a, o.diffA, a}, {o.b, o.diffB, b}} {
		share := float64(v.n) / float64(max(1, v.f.stable))
		if v.n < leastStable || share < cover {
			continue
		}
		s := math.Abs(1 - 2*float64(v.diff)/float64(v.n))
		asked := min(agreeHighest, agreeMany+agreeMargin/math.Sqrt(max(1, share*float64(v.f.turns))))
		if share < fullCover {
			asked = max(asked, agreePart)
		}
		if s-asked > margin {
			score, margin = s, s-asked
		}
	}
	return score, margin
}

// spread returns the standard deviation in dB of the difference of the levels of loud blocks at an offset: 0 for a copy
// of any gain. As in agreement, the better of two views counts.
func spread(a, b *frames, offset int) float64 {
	return min(levelSpread(a, b, offset), levelSpread(b, a, -offset))
}

func levelSpread(a, b *frames, offset int) float64 {
	var n, sum, squares float64
	for i := range a.runs {
		ra := &a.runs[i]
		for j := range b.runs {
			rb := &b.runs[j]
			for k, l := range ra.levels {
				at := ra.start + k*blockLen + blockLen/2 + offset - rb.start // the middle of the block, in b
				if l < loudLevel || !ra.inside(k*blockLen) || !rb.inside(at) {
					continue
				}
				d := levelStep * (float64(l) - float64(rb.levels[at/blockLen]))
				n++
				sum += d
				squares += d * d
			}
		}
	}
	if n < leastBlocks {
		return math.Inf(1)
	}
	return math.Sqrt(max(0, squares/n-sum/n*(sum/n)))
}

// inside reports whether sample at of the run is so far from its ends that a cut does not change the level there.
func (r *run) inside(at int) bool {
	const edge = 2 * blockLen
	if r.len() <= 4*edge {
		return at >= 0 && at < r.len()
	}
	return at >= edge && at < r.len()-edge
}
