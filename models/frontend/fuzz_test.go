package frontend

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"wavemill/audio/spectrogram"
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

// FuzzArrayFrontEnd shows anything in the place of the configuration of an array, and builds what it describes.
func FuzzArrayFrontEnd(f *testing.F) {
	for _, c := range []spectrogram.Config{spectrogram.Default(8000), spectrogram.OneShot(44100)} {
		text, err := json.Marshal(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, 64)
	}
	f.Add([]byte(`{"sample_rate":8000,"n_fft":65536,"hop":1,"window":"hann","scale":"mel","mels":4096,"value":"log"}`), 65536)
	f.Add([]byte(`{"front_end":1}`), 0)
	f.Fuzz(func(t *testing.T, text []byte, frames int) {
		for _, whole := range []bool{true, false} {
			var fe models.FrontEnd
			var err error
			allocation.Check(t, len(text), 200, func() {
				if whole {
					fe, err = arrayFrontEnd(frames, string(text), "")
				} else {
					fe, err = arrayFrontEnd(frames, "", string(text))
				}
			})
			if err != nil {
				continue
			}
			allocation.Check(t, len(text), 200, func() { _, err = New(fe) })
		}
	})
}
