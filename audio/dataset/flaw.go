package dataset

import (
	"fmt"
	"slices"
	"strings"

	"wavemill/audio"
	"wavemill/audio/codec"
)

// Flaw says why nothing can be learnt from a recording that can be decoded.
type Flaw string

// The flaws.
const (
	Silent    Flaw = "silent"                                                                                                    // All samples are 0.
	Constant  Flaw = "constant (DC), without sound"                                                                              // All samples of a channel are equal.
	Cancelled Flaw = "channels that cancel each other when they are mixed down (of two, half of the difference is used instead)" // The mean of the channels is 60 dB or more below them.
)

// flawOf finds what is wrong with the samples of a clip.
func flawOf(c audio.Clip) Flaw {
	const small = 1e-3 // -60 dB
	channels := max(1, c.Channels)
	var peak, mixed float32
	still := true
	for at := 0; at+channels <= len(c.Samples); at += channels {
		var sum float32
		for i, v := range c.Samples[at : at+channels] {
			peak = max(peak, v, -v)
			sum += v
			still = still && v == c.Samples[i]
		}
		mixed = max(mixed, sum, -sum)
	}
	switch {
	case peak == 0:
		return Silent
	case still:
		return Constant
	case mixed < small*peak*float32(channels):
		return Cancelled
	}
	return ""
}

// Faults says in lines for a person which recordings cannot be used, of which only a part is used, from which nothing can
// be learnt, and which are the same.
func Faults(recordings []Recording) []string {
	var lines []string
	var cut []string
	flaws := map[Flaw][]string{}
	var faults []Skip
	for _, r := range recordings {
		switch {
		case r.Err != nil:
			lines = append(lines, fmt.Sprintf("skipped %s: %v", r.Path, r.Err))
			continue
		case r.Cut:
			cut = append(cut, r.Path)
		default:
			for _, note := range r.Notes {
				faults = append(faults, Skip{Path: r.Path, Reason: note})
			}
		}
		if r.Flaw != "" {
			flaws[r.Flaw] = append(flaws[r.Flaw], r.Path)
		}
	}
	for _, g := range GroupSkips(faults) {
		lines = append(lines, "fault of "+g.String())
	}
	if len(cut) > 0 {
		lines = append(lines, fmt.Sprintf("only the beginning is used of %s: a recording may have %d s and %d MiB of samples; cut longer ones to clips", some(cut), codec.MaxSeconds, codec.MaxBytes>>20))
	}
	for _, flaw := range []Flaw{Silent, Constant, Cancelled} {
		if paths := flaws[flaw]; len(paths) > 0 {
			lines = append(lines, fmt.Sprintf("warning: %s: %s", flaw, some(paths)))
		}
	}
	return oneLine(append(lines, copies(recordings)...))
}

// some is a list of files, or their number and an example.
func some(paths []string) string {
	const few = 3
	if len(paths) <= few {
		return strings.Join(paths, ", ")
	}
	return fmt.Sprintf("%d of the recordings, such as %s", len(paths), paths[0])
}

// copies names recordings with the same samples: those of different labels, and labels of which all recordings are the
// same.
func copies(recordings []Recording) []string {
	first := map[string]*Recording{}          // By digest.
	different := map[string]map[string]bool{} // Digests by label.
	count := map[string]int{}
	same, contradicting := 0, []string{}
	for i := range recordings {
		r := &recordings[i]
		if r.Digest == "" {
			continue
		}
		if different[r.Label] == nil {
			different[r.Label] = map[string]bool{}
		}
		different[r.Label][r.Digest] = true
		count[r.Label]++
		if r.Flaw != "" {
			continue // It has a warning of its own.
		}
		other, known := first[r.Digest]
		switch {
		case !known:
			first[r.Digest] = r
		case other.Label != r.Label:
			contradicting = append(contradicting, fmt.Sprintf("%s (%s) and %s (%s)", other.Path, other.Label, r.Path, r.Label))
		default:
			same++
		}
	}
	var lines []string
	if len(contradicting) > 0 {
		lines = append(lines, fmt.Sprintf("warning: the same samples under different labels, %d times: %s", len(contradicting), some(contradicting[:1])))
	}
	if same > 0 {
		lines = append(lines, fmt.Sprintf("%d recordings have the same samples as another one of their label; copies are kept on one side of the split", same))
	}
	var alike []string
	for label, digests := range different {
		if len(digests) == 1 && count[label] > 1 {
			alike = append(alike, fmt.Sprintf("%s (%d)", label, count[label]))
		}
	}
	if len(alike) > 0 {
		slices.Sort(alike)
		lines = append(lines, "warning: all recordings of a label are the same: "+strings.Join(alike, ", ")+"; a model can only repeat them")
	}
	return lines
}
