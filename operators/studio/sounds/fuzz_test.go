package sounds

import (
	"net/url"
	"testing"

	"wavemill/internal/allocation"
)

// FuzzParseAsk shows anything in the place of the query of an address.
func FuzzParseAsk(f *testing.F) {
	for _, query := range []string{"model=ab&label=kick&seed=7", "x=1&y=2", "x=1", "seed=-1", "temperature=NaN", "label=a&label=b", "given=../x", "%zz", "other=a&weight=1e999"} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		var a Ask
		allocation.Check(t, len(query), 100, func() { a, err = ParseAsk(values) })
		if err == nil && a.Given != "" && !isID(a.Given) {
			t.Errorf("%q was accepted as an id", a.Given)
		}
	})
}
