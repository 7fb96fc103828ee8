package modelstore

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"wavemill/internal/allocation"
)

// value is an entry of the bucket.
type value struct {
	jetstream.KeyValueEntry
	text []byte
}

func (v value) Key() string      { return "model" }
func (v value) Bucket() string   { return "MODELS" }
func (v value) Value() []byte    { return v.text }
func (v value) Revision() uint64 { return 3 }

// FuzzEntry shows anything in the place of what the bucket says of a model, and works with what is accepted.
func FuzzEntry(f *testing.F) {
	f.Add([]byte(`{"version":3,"object":"model-c","name":"model","last":3,"versions":[{"version":2,"object":"model-b"},{"version":1,"object":"model-a","withdrawn":{"reason":"x"}}]}`))
	f.Add([]byte(`{"version":3,"object":"model-c","name":"model","kept":["model-b","model-a","model-z","model-y"]}`))
	f.Add([]byte(`{"version":18446744073709551615,"object":"x","versions":[{},{}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		allocation.Check(t, len(text), 500, func() {
			e, err := parse(value{text: text})
			if err != nil {
				return
			}
			if e.Last < e.Version || e.revision != 3 {
				t.Errorf("%+v", e)
			}
			for _, v := range e.Versions() {
				if _, found := e.At(v.Version); !found {
					t.Errorf("version %d is listed, and not found", v.Version)
				}
			}
			if p, ok := e.Previous(); ok && (p.Version >= e.Version || p.Withdrawn != nil) {
				t.Errorf("before version %d comes %+v", e.Version, p)
			}
		})
	})
}
