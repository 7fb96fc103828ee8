package shape_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/internal/shape"
)

func frontEnd(frames, mels int) models.FrontEnd {
	c := spectrogram.Default(8000)
	c.Mels = mels
	return models.FrontEnd{Spectrogram: c, Frames: frames}
}

func TestOf(t *testing.T) {
	if s, err := shape.Of(frontEnd(32, 16), []string{"a", "b"}); err != nil || s != (shape.Shape{Frames: 32, Bins: 16, Labels: 2}) {
		t.Errorf("%+v, error %v", s, err)
	}
	for want, f := range map[string]func() (shape.Shape, error){
		"0 frames by 16": func() (shape.Shape, error) { return shape.Of(frontEnd(0, 16), []string{"a"}) },
		"33 frames":      func() (shape.Shape, error) { return shape.Of(frontEnd(33, 16), []string{"a"}) },
		"by 24 bins":     func() (shape.Shape, error) { return shape.Of(frontEnd(32, 24), []string{"a"}) },
		"no labels":      func() (shape.Shape, error) { return shape.Of(frontEnd(32, 16), nil) },
	} {
		if _, err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestCheck(t *testing.T) {
	s := shape.Shape{Frames: 2, Bins: 3, Labels: 2}
	good := models.Batch{B: 1, T: 2, F: 3, Data: make([]float32, 6), Labels: []int{1}}
	if err := s.Check(t.Context(), good); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Check(ctx, good); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	label, turned, short := good, good, good
	label.Labels = []int{2}
	turned.T, turned.F = 3, 2
	short.Data = short.Data[:5]
	for want, x := range map[string]models.Batch{"label 2": label, "clips of [3, 2]": turned, "5 values": short} {
		if err := s.Check(t.Context(), x); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	short.Labels = nil
	if err := s.CheckClips(short); err == nil {
		t.Error("too few values: no error")
	}
	if b := s.Batch([]int{0, 1}); b.B != 2 || len(b.Data) != 0 || cap(b.Data) != 12 {
		t.Errorf("batch %+v of capacity %d", b, cap(b.Data))
	}
}
