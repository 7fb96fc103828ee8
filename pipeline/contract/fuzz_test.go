package contract_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"wavemill/internal/allocation"
	"wavemill/pipeline/contract"
)

// FuzzContract shows anything in the place of a contract in the bucket.
func FuzzContract(f *testing.F) {
	f.Add([]byte(`{"labels":["a"],"rates":[8000],"channels":[1,2],"min_duration":"0.5s","max_duration":"1h"}`))
	f.Add([]byte(`{"min_duration":"-1s","rates":[-1]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var c, again contract.Contract
		var err error
		allocation.Check(t, len(text), 100, func() { err = json.Unmarshal(text, &c) })
		if err != nil {
			return
		}
		written, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(written, &again); err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		if third, err := json.Marshal(again); err != nil || !reflect.DeepEqual(third, written) {
			t.Errorf("%s became %s (%v)", written, third, err)
		}
	})
}
