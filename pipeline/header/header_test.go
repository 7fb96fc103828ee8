package header_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"

	"wavemill/internal/allocation"
	"wavemill/pipeline/header"
)

func ExampleEncodeValue() {
	fmt.Println(header.EncodeValue("kick drum"))
	fmt.Println(header.EncodeValue("große Trommel"))
	fmt.Println(header.DecodeValue("=?utf-8?q?gro=C3=9Fe_Trommel?="))
	// Output:
	// kick drum
	// =?utf-8?q?gro=C3=9Fe_Trommel?=
	// große Trommel
}

// anyString draws strings of all kinds: text, bytes that are no text, and what looks encoded.
func anyString() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.String(),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
		rapid.StringMatching(`[ =?_a-zA-Z0-9.*>]{0,200}`),
		rapid.Map(rapid.String(), func(s string) string { return "=?utf-8?q?" + s + "?=" }),
	)
}

func TestEveryStringReturns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyString().Draw(t, "value")
		encoded := header.EncodeValue(s)
		for i := range len(encoded) {
			if encoded[i] < ' ' || encoded[i] > '~' {
				t.Fatalf("%q encodes to %q: byte %d is not printable ASCII", s, encoded, i)
			}
		}
		// As nats.go writes and reads it.
		m := nats.NewMsg("x")
		m.Header.Set("Wavemill-Label", encoded)
		if got := header.DecodeValue(m.Header.Get("Wavemill-Label")); got != s {
			t.Fatalf("%q came back as %q by way of %q", s, got, encoded)
		}
		if strings.TrimSpace(encoded) != encoded {
			t.Fatalf("%q encodes to %q, whose ends would be trimmed", s, encoded)
		}
	})
}

func TestPlainValuesTravelAsTheyAre(t *testing.T) {
	for _, s := range []string{"three", "a b", "50% off", "x = ?", "nested \"quotes\"", ""} {
		if got := header.EncodeValue(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
	if got := header.DecodeValue("größe"); got != "größe" { // Raw UTF-8, as some clients send it.
		t.Errorf("raw UTF-8 became %q", got)
	}
	if got := header.DecodeValue("=?broken"); got != "=?broken" {
		t.Errorf("a malformed value became %q", got)
	}
}

func FuzzDecodeValue(f *testing.F) {
	for _, s := range []string{"", "three", "=?utf-8?q?a=20b?=", "=?utf-8?b?YQ==?= =?utf-8?q?b?=", "=?latin1?q?=FF?=", "=?x?q?=", "=?utf-8?q?=GG?="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var value string
		allocation.Check(t, len(s), 100, func() { value = header.DecodeValue(s) })
		if len(value) > 4*len(s)+4 {
			t.Errorf("%q grew to %d bytes", s, len(value))
		}
		if again := header.DecodeValue(header.EncodeValue(value)); again != value {
			t.Errorf("%q came back as %q", value, again)
		}
	})
}
