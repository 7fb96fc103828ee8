package frontend

import (
	"encoding/json"
	"testing"

	"wavemill/audio/npy"
	"wavemill/audio/spectrogram"
	"wavemill/internal/allocation"
)

// FuzzDecodeArray shows anything in the place of a spectrogram on the bus: the array, and the two headers that describe it.
// The operators train and guard read spectrograms with DecodeArray.
func FuzzDecodeArray(f *testing.F) {
	config := spectrogram.Default(8000)
	text, err := json.Marshal(config)
	if err != nil {
		f.Fatal(err)
	}
	array := npy.Encode([]int{2, config.Bins()}, make([]float32, 2*config.Bins()))
	f.Add(array, "", string(text))
	f.Add(array[:len(array)-4], "", string(text))
	f.Add(array, `{"frames":2,"spectrogram":`+string(text)+`}`, "")
	f.Fuzz(func(t *testing.T, body []byte, whole, transform string) {
		var err error
		var s *spectrogram.Spectrogram
		allocation.Check(t, len(body)+len(whole)+len(transform), 100, func() { _, s, err = DecodeArray(body, whole, transform) })
		if err == nil && (s.Frames*s.Bins != len(s.Data) || s.Bins != s.Config.Bins()) {
			t.Errorf("%d values of [%d, %d], %+v", len(s.Data), s.Frames, s.Bins, s.Config)
		}
	})
}
