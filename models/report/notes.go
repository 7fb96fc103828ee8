package report

import (
	"fmt"
	"maps"
	"slices"

	"wavemill/audio/dataset"
	"wavemill/internal/text"
)

// RecordingNotes says what a front end of a sample rate, in Hz, and of one channel or two has to do to usable recordings, one
// sentence for each kind: resample them, mix them down, or use the part that a truncated file holds.
func RecordingNotes(recordings []dataset.Recording, rate, channels int) []string {
	rates, mixed, truncated := map[int]int{}, 0, 0
	for _, r := range recordings {
		if r.Clip.Rate != rate {
			rates[r.Clip.Rate]++
		}
		if r.Clip.Channels > channels {
			mixed++
		}
		if r.Truncated {
			truncated++
		}
	}
	var notes []string
	for _, from := range slices.Sorted(maps.Keys(rates)) {
		notes = append(notes, fmt.Sprintf("%s resampled from %d to %d Hz", recordingsAre(rates[from]), from, rate))
	}
	if mixed > 0 {
		notes = append(notes, recordingsAre(mixed)+" mixed down to one channel")
	}
	if truncated > 0 {
		notes = append(notes, recordingsAre(truncated)+" truncated; the part that is there is used")
	}
	return notes
}

func recordingsAre(n int) string { return text.Count(n, "recording is", "recordings are") }

// Examples returns at most n recordings of each label, in the order of the labels, evenly spread over those of the label,
// so that they show more than the first speaker.
func Examples(recordings []dataset.Recording, n int) []dataset.Recording {
	byLabel := map[string][]dataset.Recording{}
	for _, r := range recordings {
		byLabel[r.Label] = append(byLabel[r.Label], r)
	}
	var out []dataset.Recording
	for _, label := range slices.Sorted(maps.Keys(byLabel)) {
		all := byLabel[label]
		for i := range min(n, len(all)) {
			out = append(out, all[i*len(all)/min(n, len(all))])
		}
	}
	return out
}
