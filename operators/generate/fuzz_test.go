package generate

import (
	"encoding/json"
	"testing"
)

// FuzzRequest asks that what is accepted is within its bounds, and is accepted again when it is written down.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		`{"label":"three"}`, `{"label":"three","n":5,"seed":7,"temperature":0.9,"format":"wav24"}`,
		`{"label":"three","mix":{"label":"seven","weight":0.3}}`, `{"label":"three","n":2,"mix":{"label":"seven"},"interpolate":9}`,
		`{"label":"three","like":{"audio":"UklGRg==","file":"x.wav"},"strength":0}`, `{"label":"three","mix":{"label":"x","weight":1,"like":{"audio":"AA=="}}}`,
		`{"label":"three","interpolate":-1}`, `{}`, `{}x`, `[]`, `{"n":1e9}`, `{"mix":{"weight":1e400}}`,
	} {
		f.Add([]byte(seed))
	}
	const most = 100
	f.Fuzz(func(t *testing.T, data []byte) {
		r, _, err := parseRequest(data, most)
		if err != nil {
			return
		}
		points := max(1, r.Interpolate)
		if r.N < 1 || r.N*points > most || r.Seed == nil || !(r.Temperature >= 0 && r.Temperature <= 10) {
			t.Errorf("accepted: %+v", r)
		}
		if r.Mix != nil && (r.Mix.Weight == nil) != (r.Interpolate >= 2) {
			t.Errorf("accepted: %+v", r.Mix)
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := parseRequest(text, most); err != nil {
			t.Errorf("%s was accepted, %s is not: %v", data, text, err)
		}
	})
}

// FuzzProvenance reads what a file may say of itself, and asks that it is said the same again.
func FuzzProvenance(f *testing.F) {
	for _, seed := range []string{
		`{"label":"three","model":"00","seed":7}`, `{"label":"three","model":"00","seed":7,"temperature":0.5,"mix":{"label":"seven","weight":0.3}}`,
		`{"label":"a","model":"00","seed":7,"like":{"file":"x.wav","sha256":"00","latent":"AACAPwAAAAA="},"strength":0.4}`,
		`{"label":"a","model":"00","seed":7,"like":{"latent":"AA"}}`, `{"mix":{"weight":1}}`, `{"label":"a","mix":{"label":"a"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var p, q Provenance
		if err := json.Unmarshal(data, &p); err != nil || p.Validate() != nil {
			return
		}
		first, err := json.Marshal(p.reduced())
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(first, &q); err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		if q.Validate() != nil || q.Name() != p.Name() {
			t.Errorf("%s is called %q, and %s %q (%v)", data, p.Name(), first, q.Name(), q.Validate())
		}
		if second, err := json.Marshal(q.reduced()); err != nil || string(second) != string(first) {
			t.Errorf("%s, again %s (%v)", first, second, err)
		}
	})
}
