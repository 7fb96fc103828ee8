package measure

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"wavemill/audio"
	"wavemill/audio/codec"
	"wavemill/internal/text"
)

// String describes the file in several lines, without a final newline.
func (r Report) String() string {
	lines := []string{
		fmt.Sprintf("%s: %s (%s)", text.Line(r.File), r.Format, r.Encoding),
		fmt.Sprintf("  %d Hz, %d channels, %d frames, %.3f s", r.SampleRate, r.Channels, r.Frames, r.Duration),
		fmt.Sprintf("  peak %.4f (%s), rms %.4f (%s), bandwidth %.0f Hz", r.Peak, level(r.Peak), r.RMS, level(r.RMS), r.Bandwidth),
	}
	if !r.Measured {
		lines[2] = fmt.Sprintf("  longer than %d s: length and tags are those of the header, levels were not measured; --full decodes all of it", codec.MaxSeconds)
	}
	if p := r.Place; p != nil {
		lines = append(lines, fmt.Sprintf("  pan %+.1f dB, width %+.1f dB (side to mid)", p.Pan, p.Width))
	}
	for _, tag := range slices.Sorted(maps.Keys(r.Tags)) {
		lines = append(lines, fmt.Sprintf("  %s: %s", text.Line(tag), text.Line(r.Tags[tag])))
	}
	if s := r.Sampler; s != nil {
		lines = append(lines, fmt.Sprintf("  MIDI note %d and %.1f cents", s.Note, s.Cents))
		for _, l := range s.Loops {
			lines = append(lines, fmt.Sprintf("  loop of frames %d to %d, %.3f s", l.Start, l.End, float64(l.End-l.Start)/float64(r.SampleRate)))
		}
	}
	if r.Truncated {
		lines = append(lines, "  truncated: the file ends before the data that its header declares")
	}
	for _, n := range r.Notes {
		lines = append(lines, "  "+text.Line(n))
	}
	return strings.Join(lines, "\n")
}

// level prints an amplitude in decibels below full scale.
func level(v float64) string {
	if v <= 0 || math.IsNaN(v) {
		return "silent"
	}
	return fmt.Sprintf("%.1f dBFS", audio.Decibels(v))
}
