package convert

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"wavemill/internal/text"
)

// labelsShown is how many labels String lists.
const labelsShown = 20

// reasonsShown is how many reasons for skipping files, and how many kinds of faults, String lists.
const reasonsShown = 10

// String returns the summary as some lines for a person, without a newline at the end.
func (s Summary) String() string {
	lines := []string{
		fmt.Sprintf("%s: %d files to %s, %d of them in an earlier run, %d skipped", s.Out, s.Converted+s.AlreadyDone, s.To, s.AlreadyDone, s.Skipped),
		fmt.Sprintf("  %.1f s of sound in %.2f s (%.0f x real time)", s.Seconds, s.Elapsed, s.Realtime),
		fmt.Sprintf("  labels from the %s: %s", s.LabelSource, s.labels()),
	}
	if c := s.Config; c != nil {
		lines = append(lines, fmt.Sprintf("  %d bins (%s, %s) at %d Hz, n_fft %d, hop %d", c.Bins(), c.Scale, c.Value, c.SampleRate, c.NFFT, c.Hop))
		if c.Channels == 2 {
			lines = append(lines, fmt.Sprintf("  2 channels: the last %d bins are pan and width", c.Image()))
		}
	}
	if s.Truncated > 0 {
		lines = append(lines, fmt.Sprintf("  of %d files a part is missing or cannot be decoded; the rest was converted", s.Truncated))
	}
	if s.Clipped > 0 {
		lines = append(lines, fmt.Sprintf("  warning: %d samples of %d files are beyond full scale and were clipped; --bits 32f keeps them", s.Clipped, s.ClippedFiles))
	}
	if len(s.Faults) > 0 {
		lines = appendSome(append(lines, "  faults of converted files:"), s.Faults)
	}
	if s.Skipped > 0 {
		lines = append(lines, "  skipped files and reasons: "+s.Out+"/"+SkippedName)
	}
	lines = appendSome(lines, s.Reasons)
	for _, n := range s.Notes {
		lines = append(lines, "  "+n)
	}
	for i, line := range lines {
		lines[i] = text.Line(line)
	}
	return strings.Join(lines, "\n")
}

// appendSome appends indented lines, up to a number.
func appendSome(lines, more []string) []string {
	for _, line := range more[:min(len(more), reasonsShown)] {
		lines = append(lines, "    "+line)
	}
	if n := len(more) - reasonsShown; n > 0 {
		lines = append(lines, fmt.Sprintf("    and %d more", n))
	}
	return lines
}

// labels lists the labels and their numbers of files.
func (s Summary) labels() string {
	var labels []string
	for _, label := range slices.Sorted(maps.Keys(s.Labels)) {
		labels = append(labels, fmt.Sprintf("%s (%d)", label, s.Labels[label]))
	}
	if n := len(labels) - labelsShown; n > 0 {
		labels = append(labels[:labelsShown-1], fmt.Sprintf("%s and %d more", labels[labelsShown-1], n))
	}
	return strings.Join(labels, ", ")
}
