package convert

import (
	"os"
	"path/filepath"
	"testing"

	"wavemill/audio/spectrogram"
	"wavemill/internal/allocation"
)

// FuzzState shows anything in the place of what an earlier conversion left in its folder.
func FuzzState(f *testing.F) {
	dir := f.TempDir()
	config := spectrogram.Default(8000)
	if err := (state{To: NPY, Rate: 8000, Config: &config, Shard: 1 << 20}).write(dir); err != nil {
		f.Fatal(err)
	}
	written, err := os.ReadFile(filepath.Join(dir, stateName))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(written)
	f.Add([]byte(`{"to":"wav","rate":-1,"config":{"n_fft":1e300}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, stateName), text, 0o600); err != nil {
			t.Fatal(err)
		}
		var s *state
		var err error
		allocation.Check(t, len(text), 100, func() { s, err = readState(dir) })
		if err != nil {
			return
		}
		if err := s.compare(*s, dir); err != nil {
			t.Errorf("a state differs from itself: %v", err)
		}
	})
}
