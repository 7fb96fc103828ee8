package benchmark_test

import (
	"path/filepath"
	"testing"

	"wavemill/audio/synth"
	"wavemill/audio/wav"
	"wavemill/operators/benchmark"
	"wavemill/pipeline"
)

func TestEveryWayIsTimed(t *testing.T) {
	dir := t.TempDir()
	for i := range 12 {
		c, err := synth.Clip("kick", uint64(i), 8000)
		if err != nil {
			t.Fatal(err)
		}
		if err := wav.WriteFile(filepath.Join(dir, "kick_"+string(rune('a'+i))+".wav"), c, wav.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	registry := pipeline.Registry{"spectrogram": func([]byte, pipeline.Env) (pipeline.Operator, error) { return stage{}, nil }}
	rows, err := benchmark.Run(t.Context(), benchmark.Options{Data: dir, Most: 10, Singles: 3, Registry: registry})
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 3 || rows[0].Way != "convert" || rows[0].Convert <= 0 || rows[0].Clips != 10 {
		t.Fatalf("%+v", rows)
	}
	for _, r := range rows[1:] {
		if r.Publish <= 0 || r.Stage <= 0 || r.EndToEnd <= 0 || r.Ratio <= 0 || r.P50 <= 0 || r.P99 < r.P50 || r.String() == "" {
			t.Errorf("%+v", r)
		}
	}
	if _, err := benchmark.Run(t.Context(), benchmark.Options{}); err == nil {
		t.Error("without data there is nothing to time")
	}
}
