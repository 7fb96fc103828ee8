package frontend

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"wavemill/internal/allocation"
	"wavemill/models"
)

// FuzzReadFile shows anything in the place of a front end's file.
func FuzzReadFile(f *testing.F) {
	text, err := json.Marshal(map[string]any{"front_end": Plan([]int{8000}, []time.Duration{time.Second})})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"frames":64,"spectrogram":{"n_fft":1000000000000}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "front.json")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		var fe models.FrontEnd
		var err error
		allocation.Check(t, len(text), 100, func() { fe, err = ReadFile(path) })
		if err != nil {
			return
		}
		allocation.Check(t, len(text), 100, func() { _, _ = New(fe) }) // an error is as good as none
	})
}
