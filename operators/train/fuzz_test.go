package train

import (
	"encoding/json"
	"testing"

	"wavemill/audio/spectrogram"
	"wavemill/internal/allocation"
	"wavemill/models"
	"wavemill/models/frontend"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// FuzzFrontEnd shows anything in the place of the headers that say how a spectrogram was made, and builds what they
// describe.
func FuzzFrontEnd(f *testing.F) {
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
		for _, name := range []string{header.Spectrogram, header.FrontEnd} {
			var fe models.FrontEnd
			var err error
			allocation.Check(t, len(text), 200, func() {
				fe, err = frontEndOf(&pipeline.Message{Header: map[string]string{name: string(text)}}, frames)
			})
			if err != nil {
				continue
			}
			allocation.Check(t, len(text), 200, func() { _, err = frontend.New(fe) })
		}
	})
}
