package wav

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wavemill/audio"
	"wavemill/internal/allocation"
)

// FuzzDecode shows anything to Decode and Reader: neither may panic or take memory beyond the
// file's own size, they must agree, and what they decode must survive encoding.
func FuzzDecode(f *testing.F) {
	for _, v := range variants() {
		f.Add(v.data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var c audio.Clip
		var h Header
		var err error
		allocation.Check(t, len(data), 8, func() { c, h, err = Decode(data) }) // a byte is a sample of 4 bytes
		rc, rh, rerr := readAll(bytes.NewReader(data), 333)
		if fmt.Sprint(err) != fmt.Sprint(rerr) {
			t.Fatalf("Decode says %v, Reader %v", err, rerr)
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(c, rc) + cmp.Diff(h, rh); diff != "" {
			t.Fatalf("(-Decode +Reader):\n%s", diff)
		}
		if len(c.Samples) > len(data) || h.Frames*int64(h.Channels) != int64(len(c.Samples)) {
			t.Fatalf("%d samples and %d frames from %d bytes", len(c.Samples), h.Frames, len(data))
		}
		if c.Rate > 1<<24 {
			return // Cannot be written with 32-bit byte rates.
		}
		b, err := Encode(c, Options{Encoding: Float32, Tags: h.Tags})
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, again); diff != "" {
			t.Fatalf("(-first +second):\n%s", diff)
		}
	})
}
