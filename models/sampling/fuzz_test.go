package sampling

import (
	"encoding/json"
	"testing"

	"wavemill/internal/allocation"
)

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
		var err error
		allocation.Check(t, len(data), 100, func() { err = json.Unmarshal(data, &p) })
		if err != nil || p.Validate() != nil {
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
