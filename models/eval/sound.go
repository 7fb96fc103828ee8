package eval

import (
	"slices"

	"wavemill/audio"
	"wavemill/audio/stereo"
	"wavemill/audio/timbre"
)

// A Sound sets what an ear minds in the clips of a row with one label beside the held-out recordings of that label: medians
// over clips, see package timbre.
type Sound struct {
	timbre.Comparison
	// RoundTrips compare each recording with what came back of it; nil in rows that are no ceiling.
	RoundTrips *timbre.Pairs `json:"round_trips,omitempty"`
}

// soundsOf is how many clips of a label are measured at most, spread evenly over them: medians of so many vary little, and
// 1 s of sound takes about 4 ms.
const soundsOf = 40

// Sounds measures clips by label beside recordings. The hop rate in Hz is that of the spectrograms the clips come from.
// With roundTrips clip i is what came back of recording i.
func Sounds(recordings, clips []audio.Clip, hopRate float64, roundTrips bool) []Sound {
	from, to := spread(recordings), spread(clips)
	if roundTrips {
		to = from
	}
	before, after := timbre.All(pick(recordings, from), hopRate), timbre.All(pick(clips, to), hopRate)
	if two := func(c audio.Clip) bool { return c.Channels == 2 }; slices.ContainsFunc(recordings, two) || slices.ContainsFunc(clips, two) {
		place(before, recordings, from)
		place(after, clips, to)
	}
	pairs := map[string][]timbre.Pair{}
	if roundTrips {
		for i, at := range from {
			label := recordings[at].Label
			pairs[label] = append(pairs[label], timbre.NewPair(before[i], after[i]))
		}
	}
	var out []Sound
	for _, c := range timbre.Compare(byLabel(recordings, from, before), byLabel(clips, to, after)) {
		s := Sound{Comparison: c}
		if of := pairs[c.Label]; of != nil {
			summary := timbre.Summarise(of)
			s.RoundTrips = &summary
		}
		out = append(out, s)
	}
	return out
}

// place puts clips of one channel, which have no pan and width of their own, in the middle: medians beside clips of two
// channels would otherwise be those of other recordings.
func place(measures []timbre.Measures, clips []audio.Clip, at []int) {
	for i := range measures {
		if c := clips[at[i]]; c.Channels == 1 {
			p := stereo.PlaceOf(c)
			measures[i].Pan, measures[i].Width = p.Pan, p.Width
		}
	}
}

// spread returns the indices of at most soundsOf clips of each label.
func spread(clips []audio.Clip) []int {
	of := map[string][]int{}
	for i, c := range clips {
		of[c.Label] = append(of[c.Label], i)
	}
	var out []int
	for _, all := range of {
		n := min(len(all), soundsOf)
		for k := range n {
			out = append(out, all[k*len(all)/n])
		}
	}
	slices.Sort(out)
	return out
}

func byLabel(clips []audio.Clip, at []int, measures []timbre.Measures) map[string][]timbre.Measures {
	out := map[string][]timbre.Measures{}
	for i, m := range measures {
		label := clips[at[i]].Label
		out[label] = append(out[label], m)
	}
	return out
}
