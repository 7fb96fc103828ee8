package monitor

import (
	"testing"

	"wavemill/models"
)

// A look, without making the clips.
func BenchmarkEvaluate(b *testing.B) {
	w, err := monitorOnce()
	if err != nil {
		b.Fatal(err)
	}
	clips := recordings(defaultClips, 3)
	for b.Loop() {
		if _, err := w.evaluate(clips, models.Checkpoint{}); err != nil {
			b.Fatal(err)
		}
	}
}
