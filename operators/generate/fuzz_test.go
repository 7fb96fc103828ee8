package generate

import (
	"encoding/json"
	"testing"

	"wavemill/internal/allocation"
)

// FuzzRequest checks that accepted requests are within their limits, and are accepted again when encoded.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		`{"label":"three"}`, `{"label":"three","steps":4}`, `{"label":"three","n":5,"seed":7,"temperature":0.9,"format":"wav24"}`,
		`{"label":"three","mix":{"label":"seven","weight":0.3}}`, `{"label":"three","n":2,"mix":{"label":"seven"},"interpolate":9}`,
		`{"label":"three","like":{"audio":"UklGRg==","file":"x.wav"},"strength":0}`, `{"label":"three","mix":{"label":"x","weight":1,"like":{"audio":"AA=="}}}`,
		`{"label":"three","duration":5,"loop":true,"pitch":220}`, `{"label":"three","duration":1e9}`,
		`{"label":"three","interpolate":-1}`, `{"label":"three","temperature":0}`, `{"label":"three","temperature":-1}`, `{}`, `{}x`, `[]`, `{"n":1e9}`, `{"mix":{"weight":1e400}}`,
	} {
		f.Add([]byte(seed))
	}
	const most = 100
	f.Fuzz(func(t *testing.T, data []byte) {
		var task task
		var err error
		allocation.Check(t, len(data), 100, func() { task, err = parseRequest(data, most) })
		if err != nil {
			return
		}
		r := task.Request
		points := max(1, r.Interpolate)
		if r.N < 1 || r.N*points > most || r.Seed == nil || !(task.temperature >= 0 && task.temperature <= 10) {
			t.Errorf("accepted: %+v", r)
		}
		if r.Mix != nil && (r.Mix.Weight == nil) != (r.Interpolate >= 2) {
			t.Errorf("accepted: %+v", r.Mix)
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseRequest(text, most); err != nil {
			t.Errorf("%s was accepted, %s is not: %v", data, text, err)
		}
	})
}
