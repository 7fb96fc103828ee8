package slice

import "math"

// Constants of the detection, in hops.
const (
	delay   = hopsPerSecond // How late decisions are made.
	lag     = 2             // Hops between the two spectra of a flux.
	before  = 10            // The surroundings of an onset: these hops before and
	after   = 7             // these after.
	peak    = 3             // An onset's flux is the greatest within so many hops on either side.
	rows    = delay + lag + 1
	judged  = 32 // Hops that have been judged and are kept; more than before + after + 1.
	steady  = 4  // The background counts this often where changes are measured, so that its own do not.
	soften  = 0.98
	likely  = 1.0 // The mean log likelihood ratio at which there is speech.
	average = 5   // Hops over which that mean is taken.
)

// A judgement is what is known about one hop.
type judgement struct {
	Level float64 // dB.
	Floor float64 // dB.
	Flux  float64 // dB.
	Ratio float64 // Log likelihood of speech against background, a mean over bands.
}

// detector judges hops, delay after they have been heard. Its exported fields are part of a [State].
type detector struct {
	s       *spectrum
	highest float64 // The highest noise floor, in dB.

	Noise  background
	Rows   [][]float64 // The powers of hop t at t%rows.
	Heard  int64       // Hops whose powers are known.
	Judged int64       // Hops with a judgement, that of hop t at t%judged.
	Recent [judged]judgement
	Clean  []float64 // The power of the speech estimated in the hop before, of each band, over the background's.

	noise, above []float64
}

func newDetector(s *spectrum, by Method) *detector {
	d := &detector{s: s, highest: HighestFloor, Noise: newBackground(s.bands()), Clean: make([]float64, s.bands()), Rows: make([][]float64, rows)}
	for i := range d.Rows {
		d.Rows[i] = make([]float64, s.bands())
	}
	d.noise, d.above = make([]float64, s.bands()), make([]float64, s.bands())
	if by == Speech {
		d.highest = HighestFloorSpeech
	}
	return d
}

// push takes the window that ends with the next hop.
func (d *detector) push(x []float32) {
	row := d.Rows[d.Heard%rows]
	d.s.powers(row, x)
	d.Heard++
	if d.Heard*int64(d.s.hop) >= int64(len(d.s.frame)) { // Before, a part of the window is not audio.
		d.Noise.add(row)
	}
}

// detect judges the next hop.
func (d *detector) detect() {
	t := d.Judged
	row := d.Rows[t%rows]
	var j judgement
	j.Floor = d.Noise.estimate(d.noise, d.s, d.highest)
	var sum float64
	for b, p := range row {
		sum += p
		d.above[b] = decibels(p + steady*d.noise[b])
	}
	j.Level = decibels(sum + power(LowestFloor-20))
	if t >= lag {
		j.Flux = d.flux(d.Rows[(t-lag)%rows])
	}
	j.Ratio = d.ratio(row)
	d.Recent[t%judged] = j
	d.Judged++
}

// flux is the mean rise of the bands over the loudest of their neighbours lag hops before.
func (d *detector) flux(earlier []float64) float64 {
	n := len(earlier)
	var rise float64
	for b := range n {
		loudest := math.Inf(-1)
		for k := max(0, b-1); k <= min(n-1, b+1); k++ {
			loudest = max(loudest, decibels(earlier[k]+steady*d.noise[k]))
		}
		rise += max(0, d.above[b]-loudest)
	}
	return rise / float64(n)
}

// ratio is Sohn's likelihood ratio with the decision-directed estimate of the signal.
func (d *detector) ratio(row []float64) float64 {
	lo, hi := d.s.speech[0], d.s.speech[1]
	var sum float64
	for b := lo; b < hi; b++ {
		posterior := min(row[b]/d.noise[b], 1e4)
		prior := soften*d.Clean[b] + (1-soften)*max(posterior-1, 0)
		sum += posterior*prior/(1+prior) - math.Log1p(prior)
		gain := prior / (1 + prior)
		d.Clean[b] = gain * gain * posterior
	}
	return sum / float64(max(1, hi-lo))
}

// at is the judgement of a hop. Hops that were not judged, or are forgotten, are silent.
func (d *detector) at(t int64) judgement {
	if t < 0 || t >= d.Judged || t < d.Judged-judged {
		return judgement{Level: LowestFloor - 20, Floor: LowestFloor}
	}
	return d.Recent[t%judged]
}

// loud reports whether a hop is loud enough to begin a sound, and enough to continue one.
func (d *detector) loud(t int64, threshold float64) (begins, continues bool) {
	j := d.at(t)
	return j.Level >= j.Floor+threshold, j.Level >= j.Floor+threshold/2
}

// spoken reports whether there is speech in a hop.
func (d *detector) spoken(t int64, threshold float64) bool {
	var sum float64
	for k := t - average/2; k <= t+average/2; k++ {
		sum += d.at(k).Ratio
	}
	j := d.at(t)
	return j.Level >= j.Floor+threshold/4 && sum/average >= likely
}

// onset reports whether there is an onset at a hop of which the following ones are judged, and where its rise begins.
func (d *detector) onset(t int64, rise, threshold float64) (begins int64, ok bool) {
	f := d.at(t).Flux
	var sum float64
	n := 0
	for k := max(0, t-before); k <= min(t+after, d.Judged-1); k++ {
		v := d.at(k).Flux
		if k < t && k >= t-peak && v >= f || k > t && k <= t+peak && v > f {
			return 0, false
		}
		sum += v
		n++
	}
	if f < sum/float64(max(1, n))+rise {
		return 0, false
	}
	loud := false
	for k := t; k <= t+after-2; k++ {
		begins, _ := d.loud(k, threshold)
		loud = loud || begins
	}
	if !loud {
		return 0, false
	}
	begins = t
	for begins > max(0, t-4) && d.at(begins-1).Flux >= f/4 {
		begins--
	}
	return begins, true
}
