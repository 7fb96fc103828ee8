package sampling_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/wav"
	"wavemill/models/eval"
	"wavemill/models/sampling"
)

// failing is a filter that always returns an error.
type failing struct{ err error }

func (f failing) CheckFor(context.Context, []audio.Clip, []eval.Condition) ([]eval.FilterResult, error) {
	return nil, f.err
}

// TestStreamChecked checks that every clip comes once, in order, with its own result, whatever the batches are.
func TestStreamChecked(t *testing.T) {
	s := ridged(t, nil)
	n := sampling.BatchSize + 3
	ps := sampling.BySeed([]sampling.Kind{high()}, 5, n)
	next, checked := 0, 0
	err := s.StreamChecked(t.Context(), ps, picky{clips: &checked}, func(i int, c sampling.Clip, r *eval.FilterResult) error {
		d, err := c.Decoded()
		if i != next || c.Seed != uint64(5+i) || err != nil || r == nil || r.Confidence != d.Peak() {
			t.Errorf("clip %d, want %d: seed %d, result %+v, peak %v (%v)", i, next, c.Seed, r, d.Peak(), err)
		}
		next++
		return nil
	})
	if err != nil || next != n || checked != n {
		t.Errorf("%d clips, %d checked, %v", next, checked, err)
	}
	err = s.StreamChecked(t.Context(), ps[:2], nil, func(_ int, _ sampling.Clip, r *eval.FilterResult) error {
		if r != nil {
			t.Errorf("a result without a filter: %+v", r)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	wrong := errors.New("no")
	each := func(int, sampling.Clip, *eval.FilterResult) error { return nil }
	if err := s.StreamChecked(t.Context(), ps[:2], failing{wrong}, each); !errors.Is(err, wrong) {
		t.Errorf("the filter's error: %v", err)
	}
	each = func(int, sampling.Clip, *eval.FilterResult) error { return wrong }
	if err := s.StreamChecked(t.Context(), ps[:2], picky{}, each); !errors.Is(err, wrong) {
		t.Errorf("the error of each: %v", err)
	}
}

// TestReadReferenceRefuses checks files that give no reference. cmd/wavemill tests those that do, with trained models.
func TestReadReferenceRefuses(t *testing.T) {
	s, dir := ridged(t, nil), t.TempDir()
	clip := audio.Clip{Samples: []float32{0, 0.5, -0.5, 0.25}, Channels: 1, Rate: 8000}
	write := func(name string) string {
		file := filepath.Join(dir, name)
		if err := wav.WriteFile(file, clip, wav.Options{}); err != nil {
			t.Fatal(err)
		}
		return file
	}
	var notes []string
	note := func(format string, _ ...any) { notes = append(notes, format) }
	if _, err := s.ReadReference(t.Context(), write("x_1.wav"), "", nil, note); !errors.Is(err, sampling.ErrNoLabel) || !strings.Contains(err.Error(), "(high, very low)") {
		t.Errorf("no label: %v", err)
	}
	if _, err := s.ReadReference(t.Context(), filepath.Join(dir, "absent.wav"), "high", nil, note); err == nil {
		t.Error("an absent file: no error")
	}
	if len(notes) > 0 {
		t.Errorf("notes about files that are refused: %q", notes)
	}
	// The label is found by the name; the model has no encoder.
	if _, err := s.ReadReference(t.Context(), write("high_1.wav"), "", nil, note); !errors.Is(err, sampling.ErrNoEncoder) || len(notes) != 1 {
		t.Errorf("no encoder: %v, notes %q", err, notes)
	}
}
