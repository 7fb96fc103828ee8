package slice

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"wavemill/internal/text"
)

// String describes the result in lines for a person, without a final newline.
func (s Summary) String() string {
	var labels []string
	for _, l := range slices.Sorted(maps.Keys(s.Labels)) {
		labels = append(labels, fmt.Sprintf("%s %d", l, s.Labels[l]))
	}
	lines := []string{fmt.Sprintf("%s: %d clips of %s (%s)", text.Line(s.Out), s.Clips, text.Count(s.Sources, "file", "files"), text.Line(text.Abridge(labels, 12)))}
	if s.AlreadyDone > 0 {
		lines = append(lines, fmt.Sprintf("  %d of the files were finished before", s.AlreadyDone))
	}
	share := 0.0
	if s.Seconds > 0 {
		share = 100 * s.KeptSeconds / s.Seconds
	}
	lines = append(lines, fmt.Sprintf("  %.1f of %.1f s are in clips (%.0f %%); left out: %d sounds that are too short (%.1f s), %d silent clips (%.1f s), and the pauses",
		s.KeptSeconds, s.Seconds, share, s.Short, s.ShortSeconds, s.Silent, s.SilentSeconds))
	for _, reason := range s.Reasons {
		lines = append(lines, "  left out: "+text.Line(reason))
	}
	lines = append(lines, "  the clips are listed in "+text.Line(s.Manifest))
	return strings.Join(lines, "\n")
}
