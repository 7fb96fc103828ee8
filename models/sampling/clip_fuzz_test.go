package sampling

import (
	"testing"

	"wavemill/audio"
	"wavemill/audio/wav"
	"wavemill/internal/allocation"
)

// FuzzReadProvenance shows anything in the place of a clip that is to be made again.
func FuzzReadProvenance(f *testing.F) {
	clip := Clip{Audio: audio.Clip{Samples: make([]float32, 100), Rate: 8000, Channels: 1}, Provenance: Provenance{Label: "a", Model: "00", Seed: 7}}
	for _, encoding := range []wav.Encoding{wav.PCM16, wav.Float32} {
		file, err := clip.WAV(encoding)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file)
		f.Add(file[:len(file)/2])
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		var p Provenance
		var err error
		allocation.Check(t, len(file), 100, func() { p, _, err = ReadProvenance(file) })
		if err == nil && p.Model == "" {
			t.Error("a provenance without a model")
		}
	})
}
