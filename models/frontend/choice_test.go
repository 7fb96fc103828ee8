package frontend_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wavemill/models"
	"wavemill/models/frontend"
)

// fileOf writes a value as JSON, or a string as it is.
func fileOf(t *testing.T, v any) string {
	t.Helper()
	b, isText := v.(string)
	if !isText {
		marshalled, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		b = string(marshalled)
	}
	path := filepath.Join(t.TempDir(), "fe.json")
	if err := os.WriteFile(path, []byte(b), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadFile(t *testing.T) {
	fe := frontend.PlanFor(nil)
	for name, v := range map[string]any{"alone": fe, "in an object": map[string]any{"front_end": fe, "labels": 3}} {
		if got, err := frontend.ReadFile(fileOf(t, v)); err != nil || got != fe {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for want, path := range map[string]string{"none.json": "none.json", "framse": fileOf(t, `{"framse":3}`), "EOF": fileOf(t, `{"frames":`), "cannot unmarshal": fileOf(t, `{"front_end":"no"}`)} {
		if _, err := frontend.ReadFile(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// A choice is the plan, or the file, with the overrides; it matches what it plans and refuses others.
func TestChoice(t *testing.T) {
	clips := tones(8000)
	planned := frontend.PlanFor(clips)
	other := frontend.Overrides{Mels: 32}.Apply(planned)
	for name, c := range map[string]struct {
		choice frontend.Choice
		want   models.FrontEnd
		other  bool // whether it also matches the other front end
	}{
		"nothing":            {frontend.Choice{}, planned, true},
		"file":               {frontend.Choice{File: fileOf(t, other)}, other, true},
		"file and overrides": {frontend.Choice{File: fileOf(t, other), Overrides: frontend.Overrides{Mels: 48}}, frontend.Overrides{Mels: 48}.Apply(other), false},
		"overrides":          {frontend.Choice{Overrides: frontend.Overrides{Mels: 48}}, frontend.Level(frontend.Overrides{Mels: 48}.Apply(planned), clips), false},
	} {
		got, err := c.choice.Plan(clips)
		if err != nil || got != c.want || c.choice.Validate() != nil {
			t.Errorf("%s: %+v, want %+v, %v", name, got, c.want, err)
		}
		if same, err := c.choice.Matches(got); !same || err != nil {
			t.Errorf("%s: does not match its own plan: %v", name, err)
		}
		if same, err := c.choice.Matches(other); same != c.other || err != nil {
			t.Errorf("%s: matches another one: %v, %v", name, same, err)
		}
	}
	for name, o := range map[string]frontend.Overrides{"n-fft": {NFFT: 128}, "hop": {Hop: 7}, "frames": {Frames: 16}} {
		if same, _ := (frontend.Choice{Overrides: o}).Matches(planned); same {
			t.Errorf("%s: matches", name)
		}
	}
	if _, err := (frontend.Choice{Overrides: frontend.Overrides{Hop: 4000}}).Plan(clips); !errors.Is(err, frontend.ErrUnusable) || !strings.Contains(err.Error(), "hop") {
		t.Errorf("a hop that leaves gaps: %v", err)
	}
}

func TestChoiceRefuses(t *testing.T) {
	for want, c := range map[string]frontend.Choice{
		"must not be negative": {Overrides: frontend.Overrides{Hop: -1}},
		"multiples of 16":      {Overrides: frontend.Overrides{Frames: 20}},
		"none.json":            {File: "none.json"},
	} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	missing := frontend.Choice{File: "none.json"}
	if _, err := missing.Plan(nil); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := missing.Matches(models.FrontEnd{}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
