package fingerprint

import (
	"cmp"
	"math/bits"
	"slices"
)

const (
	keyWindow   = 64               // samples at printRate in each of the three windows of a key: 8 ms
	keyLags     = 14               // autocorrelations of a window
	keyLagStep  = 4                // samples between their lags
	keySpan     = 3*keyWindow + 64 // samples that a key needs
	keyStep     = 32               // samples between the keys of a Print in the index
	queryStep   = 4                // samples between the keys of a query: one lies within 2 samples of each stored one
	probeFlips  = 4                // least certain bits of a query's key that are tried both ways
	seenPower   = 22               // 4 Mi bits, 512 KiB
	seenBits    = 1 << seenPower   //
	maxOwn      = 4                // entries of one Print under one key, which a steady tone would fill
	maxPostings = 64               // entries kept under one key; see Index.Add
	searchSlack = 6                // samples around the offset that a shared key gives
	leastNear   = 0.62             // agreement around the key below which an alignment is not examined further
)

// An Index finds similar Prints among many without comparing all pairs. A Print enters it under keys: for every 4 ms, 28
// signs of differences between the autocorrelations of neighbouring windows, which Haitsma and Kalker take between the
// energies of neighbouring bands and frames. A query looks up the keys at every half millisecond, in the versions that its
// least certain signs allow, and examines the alignments that shared keys give, as Similar does. It finds what Similar finds but for a
// rare copy whose keys are all damaged.
//
// An Index is not safe for concurrent use while Prints are added; queries may run concurrently. The zero Index is ready.
type Index struct {
	all  []*frames
	keys map[uint32][]posting
	// seen has a bit set for each key of keys: most look-ups end there, which is faster than the map.
	seen []uint64
	// short holds Prints of less than keySpan samples (32 ms), which have no keys; they are compared one by one.
	short []int32
}

// posting says that a Print has a key at a sample.
type posting struct {
	id int32
	at int64
}

// Add adds a Print and returns its number: 0 for the first, then 1, and so on. An empty Print takes a number and is never
// found. Of more than 64 Prints that share a key, the first 64 are found by it: a recording with thousands of copies is
// still linked to the first of them, and the time of a query stays bounded.
func (x *Index) Add(p Print) int {
	id := len(x.all)
	f, err := p.unpack()
	if err != nil {
		x.all = append(x.all, nil)
		return id
	}
	x.all = append(x.all, f)
	if x.keys == nil {
		x.keys, x.seen = map[uint32][]posting{}, make([]uint64, seenBits/64)
	}
	keyed := false
	f.eachKey(keyStep, func(at int, k key) {
		keyed = true
		word, bit := seenAt(k.bits)
		x.seen[word] |= bit
		old := x.keys[k.bits]
		steady := len(old) >= maxOwn && old[len(old)-maxOwn].id == int32(id)
		if len(old) < maxPostings && !steady {
			x.keys[k.bits] = append(old, posting{int32(id), int64(at)})
		}
	})
	if !keyed {
		x.short = append(x.short, int32(id))
	}
	return id
}

// seenAt returns the word and the bit of Index.seen that stand for a key (multiplicative hashing, Knuth).
func seenAt(key uint32) (word, bit uint64) {
	h := uint64(key*2654435769) >> (32 - seenPower)
	return h / 64, 1 << (h % 64)
}

// Similar returns the numbers of the Prints similar to p, ascending.
func (x *Index) Similar(p Print) []int {
	f, err := p.unpack()
	if err != nil {
		return nil
	}
	found := map[int32]bool{}
	tried := map[posting]bool{}
	keyed := false
	f.eachKey(queryStep, func(at int, k key) {
		keyed = true
		for probe := range k.probes() {
			if word, bit := seenAt(probe); len(x.seen) == 0 || x.seen[word]&bit == 0 {
				continue
			}
			for _, hit := range x.keys[probe] {
				offset := int(hit.at) - at
				mark := posting{hit.id, int64(offset >> 2)}
				if found[hit.id] || tried[mark] {
					continue
				}
				tried[mark] = true
				if g := x.all[hit.id]; aligned(f, g, at, offset) {
					found[hit.id] = true
				}
			}
		}
	})
	rest := x.short
	if !keyed {
		rest = make([]int32, len(x.all))
		for i := range rest {
			rest[i] = int32(i)
		}
	}
	for _, id := range rest {
		if g := x.all[id]; g != nil && !found[id] && similar(f, g) {
			found[id] = true
		}
	}
	ids := make([]int, 0, len(found))
	for id := range found {
		ids = append(ids, int(id))
	}
	slices.Sort(ids)
	return ids
}

// similar tries every alignment.
func similar(a, b *frames) bool {
	if a.envelope != b.envelope {
		return false
	}
	lo, hi := offsets(a, b)
	for offset := lo; offset <= hi; offset++ {
		if _, margin := agreement(a, b, offset); margin >= 0 && spread(a, b, offset) <= mostSpread {
			return true
		}
	}
	return false
}

// aligned examines the alignments around an offset at which a and b share a key at sample at of a.
func aligned(a, b *frames, at, offset int) bool {
	if a.envelope != b.envelope {
		return false
	}
	lo, hi := offsets(a, b)
	lo, hi = max(lo, offset-searchSlack), min(hi, offset+searchSlack)
	ra, rb := a.runAt(at), b.runAt(at+offset)
	if ra == nil || rb == nil {
		return false
	}
	best, top := 0, leastNear
	for o := lo; o <= hi; o++ {
		if near := nearby(ra, rb, at-ra.start, at+o-rb.start); near > top {
			best, top = o, near
		}
	}
	if top == leastNear {
		return false
	}
	for o := max(lo, best-1); o <= min(hi, best+1); o++ {
		if _, margin := agreement(a, b, o); margin >= 0 && spread(a, b, o) <= mostSpread {
			return true
		}
	}
	return false
}

// nearby is the agreement of the samples of one key, from bit ia of run a and bit ib of run b on; 0 where a run ends.
func nearby(a, b *run, ia, ib int) float64 {
	const words = 3 * keyWindow / 64
	if ib < 0 || ia+64*words > a.len() || ib+64*words > b.len() {
		return 0
	}
	diff := 0
	for i := 0; i < 64*words; i += 64 {
		diff += bits.OnesCount64(wordAt(a.signs, ia+i) ^ wordAt(b.signs, ib+i))
	}
	s := 1 - 2*float64(diff)/(64*words)
	return max(s, -s)
}

// runAt returns the run that holds a sample, nil if none does.
func (f *frames) runAt(at int) *run {
	for i := range f.runs {
		if r := &f.runs[i]; at >= r.start && at < r.end() {
			return r
		}
	}
	return nil
}

// key is a key and its least certain signs.
type key struct {
	bits uint32
	weak [probeFlips]uint32 // one bit set in each
}

// probes yields the key with every combination of its least certain bits.
func (k key) probes() func(yield func(uint32) bool) {
	return func(yield func(uint32) bool) {
		for flips := range 1 << probeFlips {
			v := k.bits
			for i, w := range k.weak {
				if flips>>i&1 == 1 {
					v ^= w
				}
			}
			if !yield(v) {
				return
			}
		}
	}
}

// eachKey calls visit with the keys at every step samples of each run.
func (f *frames) eachKey(step int, visit func(at int, k key)) {
	for i := range f.runs {
		r := &f.runs[i]
		for at := 0; at+keySpan <= r.len(); at += step {
			visit(r.start+at, r.keyAt(at))
		}
	}
}

// keyAt computes the key of the samples from bit at of the run on.
func (r *run) keyAt(at int) key {
	var counts [3][keyLags]int // samples that differ in sign from those a lag later: a short-time autocorrelation
	for w := range counts {
		from := at + w*keyWindow
		lo, hi := wordAt(r.signs, from), wordAt(r.signs, from+64)
		for l := range counts[w] {
			lag := (l + 1) * keyLagStep
			x, y := lo^wordAt(r.signs, from+lag), hi^wordAt(r.signs, from+64+lag)
			counts[w][l] = bits.OnesCount64(x) + bits.OnesCount64(y&(1<<(keyWindow-64)-1))
		}
	}
	var k key
	var margins [2 * keyLags]int
	for w := range 2 {
		for l := range keyLags {
			d := counts[w+1][l] - counts[w][l]
			i := w*keyLags + l
			if d > 0 {
				k.bits |= 1 << i
			}
			margins[i] = max(d, 1-d) // the border lies between 0 and 1
		}
	}
	for i := range k.weak {
		least := 0
		for j, m := range margins {
			if cmp.Less(m, margins[least]) {
				least = j
			}
		}
		k.weak[i] = 1 << least
		margins[least] = keyWindow + 1
	}
	return k
}
