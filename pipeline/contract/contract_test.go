package contract_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"pgregory.net/rapid"

	"wavemill/pipeline/contract"
	"wavemill/pipeline/server"
)

func TestCheck(t *testing.T) {
	c := contract.Contract{Labels: []string{"kick", "snare"}, Rates: []int{44100, 48000}, Channels: []int{1}, MinDuration: 50 * time.Millisecond, MaxDuration: time.Second}
	good := contract.Facts{Label: "kick", Rate: 48000, Channels: 1, Duration: time.Second}
	if err := c.Check(good); err != nil {
		t.Error(err)
	}
	if err := (contract.Contract{}).Check(contract.Facts{Label: "anything"}); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*contract.Facts){
		`its label is "tom"; admitted are: kick, snare`:           func(f *contract.Facts) { f.Label = "tom" },
		"its sample rate is 8000 Hz; admitted are: 44100, 48000":  func(f *contract.Facts) { f.Rate = 8000 },
		"it has 2 channels; admitted are: 1":                      func(f *contract.Facts) { f.Channels = 2 },
		"it lasts 1.001s; the most is 1s":                         func(f *contract.Facts) { f.Duration += time.Millisecond },
		"it lasts 49ms; the least is 50ms":                        func(f *contract.Facts) { f.Duration = 49 * time.Millisecond },
		"...\"; admitted are: ":                                   func(f *contract.Facts) { f.Label = strings.Repeat("x", 5000) },
		"its sample rate is 1 Hz; admitted are: 44100, 48000; it": func(f *contract.Facts) { f.Rate, f.Channels = 1, 7 },
	} {
		f := good
		change(&f)
		err := c.Check(f)
		if !errors.Is(err, contract.ErrViolated) || !strings.Contains(err.Error(), want) || len(err.Error()) > 1000 {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, bad := range []contract.Contract{
		{Labels: []string{""}}, {Rates: []int{0}}, {Channels: []int{-1}}, {MinDuration: -1}, {MinDuration: 2, MaxDuration: 1},
	} {
		if bad.Validate() == nil {
			t.Errorf("%+v has no fault", bad)
		}
	}
}

// JSON and back is the same contract.
func TestJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := contract.Contract{
			Labels: rapid.SliceOfN(rapid.String(), 0, 3).Draw(t, "labels"), Rates: rapid.SliceOfN(rapid.IntRange(1, 1e6), 0, 3).Draw(t, "rates"),
			Channels:    rapid.SliceOfN(rapid.IntRange(1, 8), 0, 2).Draw(t, "channels"),
			MinDuration: time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "min")), MaxDuration: time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "max")),
		}
		data, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var back contract.Contract
		if err := json.Unmarshal(data, &back); err != nil || !back.Equal(c) {
			t.Errorf("%s: %+v, %v", data, back, err)
		}
	})
	for _, bad := range []string{`{"min_duration":"long"}`, `{"rates":["x"]}`, `[]`} {
		var c contract.Contract
		if json.Unmarshal([]byte(bad), &c) == nil {
			t.Error(bad + " is read")
		}
	}
}

// A store on a real server: none, the first one, a change, and a change that another process has overtaken.
func TestStore(t *testing.T) {
	s, err := server.Start(t.Context(), server.Config{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	conn, err := nats.Connect("", s.InProcess())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	store := &contract.Store{JetStream: js, Bucket: "P_CONTRACT"}
	if got, err := store.Current(t.Context()); err != nil || got.Revision != 0 || !got.Contract.Empty() {
		t.Fatalf("%+v, %v", got, err)
	}
	first, second := contract.Contract{Rates: []int{8000}}, contract.Contract{Labels: []string{"a"}}
	revision, err := store.Put(t.Context(), first, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := store.Current(t.Context()); err != nil || got.Revision != revision || !got.Contract.Equal(first) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := store.Put(t.Context(), second, 0); !errors.Is(err, contract.ErrConflict) {
		t.Errorf("the first one again: %v", err)
	}
	if _, err := store.Put(t.Context(), second, revision); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(t.Context(), first, revision); !errors.Is(err, contract.ErrConflict) {
		t.Errorf("overtaken: %v", err)
	}
	if _, err := store.Put(t.Context(), contract.Contract{Rates: []int{-1}}, revision); err == nil {
		t.Error("a wrong contract is stored")
	}
	if got, err := store.Get(t.Context()); err != nil || !got.Contract.Equal(second) || got.Created.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	conn.Close() // The server is away: the contract stays in force.
	if got, err := store.Current(t.Context()); err != nil || !got.Contract.Equal(second) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := (&contract.Store{JetStream: js, Bucket: "P_CONTRACT"}).Current(t.Context()); err == nil {
		t.Error("a contract that was never read is taken for one that admits everything")
	}
}

func Example() {
	c := contract.Contract{Labels: []string{"kick", "snare"}, MaxDuration: 2 * time.Second}
	fmt.Println(c.Check(contract.Facts{Label: "tom", Rate: 44100, Channels: 1, Duration: time.Second}))
	// Output:
	// the contract of the pipeline does not admit it: its label is "tom"; admitted are: kick, snare
}
