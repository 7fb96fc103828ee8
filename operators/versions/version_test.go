package versions_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"wavemill/operators/versions"
	"wavemill/pipeline/modelstore"
)

// entry has a served version 3, a withdrawn version 2 and an earlier one of another program.
func entry() modelstore.Entry {
	info := func(step int, accuracy float64) []byte {
		return fmt.Appendf(nil, `{"arch":"vae","labels":["a","b"],"clips":40,"data":"d%d","step":%d,"gate":{"accepted":true,"reason":"no worse","held_out":12,"reference":"r","new":{"accuracy":{"value":%g,"low":0.7,"high":0.9}}}}`, step, step, accuracy)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return modelstore.Entry{
		Name: "vae", Last: 3, Stored: modelstore.Stored{Version: 3, Digest: strings.Repeat("c", 64), Object: "c", Created: at, Size: 1000, Info: info(60, 0.85)},
		Kept: []modelstore.Stored{
			{Version: 2, Digest: strings.Repeat("b", 64), Object: "b", Created: at, Info: info(40, 0.8), Withdrawn: &modelstore.Withdrawal{Reason: "it hums", Time: at}},
			{Version: 1, Digest: "short", Object: "a", Info: []byte("no JSON")},
		},
	}
}

func TestList(t *testing.T) {
	e := entry()
	all := versions.List(e)
	if len(all) != 3 || all[0].State != versions.Served || all[1].State != versions.Withdrawn || all[2].State != versions.Kept {
		t.Fatalf("%+v", all)
	}
	if v := all[0]; v.Accuracy == nil || v.Accuracy.Value != 0.85 || v.Step != 60 || v.Data != "d60" || v.HeldOut != 12 || v.Distance != nil {
		t.Errorf("%+v", v)
	}
	e.Trial = true
	if got := versions.List(e)[0].State; got != versions.OnTrial {
		t.Errorf("state %s", got)
	}
	e.Pinned = true
	if got := versions.List(e)[0].State; got != versions.Pinned {
		t.Errorf("state %s", got)
	}
	text := versions.Table(all).String()
	for _, want := range []string{"vae    3        served     cccccccccccc  2026-01-02 03:04:05  60", "0.850 [0.700, 0.900]", "short"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if text := all[1].String(); !strings.Contains(text, "withdrawn     2026-01-02T03:04:05Z: it hums") || strings.Contains(text, "warnings") {
		t.Errorf("%s", text)
	}
}

func TestCompare(t *testing.T) {
	all := versions.List(entry())
	d := versions.Compare(all[1], all[0])
	var fields []string
	for _, x := range d.Differences {
		fields = append(fields, x.Field)
	}
	if got := strings.Join(fields, " "); got != "state withdrawn digest size data step accuracy" {
		t.Errorf("differences in %s", got)
	}
	if text := d.String(); !strings.Contains(text, "VERSION 2") || !strings.Contains(text, "0.800 [0.700, 0.900]") {
		t.Errorf("%s", text)
	}
	if got := versions.Compare(all[0], all[0]).String(); got != "no difference" {
		t.Errorf("%s", got)
	}
}
