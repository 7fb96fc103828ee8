package main

import (
	"context"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"

	"wavemill/audio"
	"wavemill/audio/measure"
)

func (a *app) inspectAudio(ctx context.Context, path string, asJSON bool) error {
	if info, err := os.Stat(path); err != nil {
		return err
	} else if info.IsDir() {
		return fmt.Errorf("%s is a folder; inspect takes files", path)
	}
	facts, err := measure.File(ctx, path)
	if err != nil {
		return err
	}
	if asJSON {
		return a.printJSON(facts)
	}
	lines := []string{
		fmt.Sprintf("%s: %s (%s)", path, facts.Format, facts.Encoding),
		fmt.Sprintf("  %d Hz, %d channels, %d frames, %.3f s", facts.SampleRate, facts.Channels, facts.Frames, facts.Duration),
		fmt.Sprintf("  peak %.4f (%s), rms %.4f (%s), bandwidth %.0f Hz", facts.Peak, level(facts.Peak), facts.RMS, level(facts.RMS), facts.Bandwidth),
	}
	for _, tag := range slices.Sorted(maps.Keys(facts.Tags)) {
		lines = append(lines, fmt.Sprintf("  %s: %s", tag, facts.Tags[tag]))
	}
	if facts.Truncated {
		lines = append(lines, "  truncated: the file ends before the data that its header declares")
	}
	for _, n := range facts.Notes {
		lines = append(lines, "  "+n)
	}
	return a.say("%s", strings.Join(lines, "\n"))
}

// level prints an amplitude in decibels below full scale.
func level(v float64) string {
	if v <= 0 || math.IsNaN(v) {
		return "silent"
	}
	return fmt.Sprintf("%.1f dBFS", audio.Decibels(v))
}
