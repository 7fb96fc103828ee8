package metricslog

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"wavemill/internal/allocation"
)

// Whatever is in an event file, what is read back are whole records, and no more bytes than there are.
func FuzzEvents(f *testing.F) {
	golden, err := os.ReadFile(filepath.Join("testdata", "tensorboard.golden"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden)
	f.Add(golden[:100])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var out []byte
		allocation.Check(t, len(b), 100, func() {
			for r := bytes.NewReader(b); ; {
				event, err := readRecord(r)
				if err != nil {
					break
				}
				stepOf(event)
				out = appendRecord(out, event)
			}
		})
		if !bytes.HasPrefix(b, out) {
			t.Errorf("%x was read as %x", b, out)
		}
	})
}

// Whatever a line of the curves holds, what can be read can be written and read again.
func FuzzRow(f *testing.F) {
	f.Add([]byte(`{"step":20,"seconds":1.250,"odd \"name\", here":3,"val/loss":-2e-9,"notes":["a","b"]}`))
	f.Add([]byte(`{"step":1,"seconds":1e999}`))
	f.Add([]byte(`{"step":1,"seconds":null,"x":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r, again Row
		var err error
		allocation.Check(t, len(b), 200, func() { err = json.Unmarshal(b, &r) })
		if err != nil {
			return
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatalf("%q was read but cannot be written: %v", b, err)
		}
		if err := json.Unmarshal(text, &again); err != nil || again.Step != r.Step || len(again.Values) != len(r.Values) {
			t.Errorf("%q became %q, %v", b, text, err)
		}
	})
}
