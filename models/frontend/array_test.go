package frontend_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"wavemill/audio/npy"
	"wavemill/models/frontend"
)

func TestDecodeArray(t *testing.T) {
	fe := frontend.Plan([]int{8000}, []time.Duration{300 * time.Millisecond})
	whole, err := json.Marshal(fe)
	if err != nil {
		t.Fatal(err)
	}
	transform, err := json.Marshal(fe.Spectrogram)
	if err != nil {
		t.Fatal(err)
	}
	frames, bins := fe.Frames, fe.Spectrogram.Bins()
	data := make([]float32, frames*bins)
	data[3] = -1
	body := npy.Encode([]int{frames, bins}, data)
	for _, headers := range [][2]string{{string(whole), ""}, {"", string(transform)}} {
		got, s, err := frontend.DecodeArray(body, headers[0], headers[1])
		if err != nil || got.Spectrogram != fe.Spectrogram || got.Frames != frames || s.Bins != bins || !reflect.DeepEqual(s.Data, data) {
			t.Errorf("%+v, %v", got, err)
		}
	}
	bad := append([]float32(nil), data...)
	bad[7] = float32(math.NaN())
	for name, c := range map[string]struct {
		body             []byte
		whole, transform string
	}{
		"no array":         {[]byte("text"), string(whole), ""},
		"no configuration": {body, "", ""},
		"no JSON":          {body, "{", ""},
		"no transform":     {body, "", "{}"},
		"another shape":    {npy.Encode([]int{frames - 1, bins}, data[:(frames-1)*bins]), string(whole), ""},
		"other bins":       {npy.Encode([]int{bins * frames, 1}, data), "", string(transform)},
		"three dimensions": {npy.Encode([]int{1, frames, bins}, data), string(whole), ""},
		"endless phase":    {body, strings.Replace(string(whole), `"frames"`, `"phase":{"iterations":1099511627776},"frames"`, 1), ""},
		"not a number":     {npy.Encode([]int{frames, bins}, bad), string(whole), ""},
	} {
		if _, _, err := frontend.DecodeArray(c.body, c.whole, c.transform); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
