package demo_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"wavemill/audio/dataset"
	"wavemill/operators/demo"
	"wavemill/pipeline"
)

func TestRunRefuses(t *testing.T) {
	unreadable := errors.New("unreadable")
	good := demo.Options{
		Out: filepath.Join(t.TempDir(), "demo"), Arch: "vae", Steps: 1, PerLabel: 1,
		Recordings: func(context.Context) (dataset.Dataset, []dataset.Recording, error) {
			return dataset.Dataset{}, nil, nil
		},
		Operators: func(demo.Hooks) pipeline.Registry { return nil },
	}
	for want, change := range map[string]func(*demo.Options){
		"no recordings":         func(*demo.Options) {},
		"out is empty":          func(o *demo.Options) { o.Out = "" },
		"steps -1":              func(o *demo.Options) { o.Steps = -1 },
		"budget 0s":             func(o *demo.Options) { o.Steps = 0 },
		"per-label 0":           func(o *demo.Options) { o.PerLabel = 0 },
		"per-label 1001":        func(o *demo.Options) { o.PerLabel = 1001 },
		"unknown; there are":    func(o *demo.Options) { o.Arch = "nonsense" },
		"operators are missing": func(o *demo.Options) { o.Operators = nil },
		"unreadable": func(o *demo.Options) {
			o.Recordings = func(context.Context) (dataset.Dataset, []dataset.Recording, error) {
				return dataset.Dataset{}, nil, unreadable
			}
		},
		"x.wav: unreadable": func(o *demo.Options) {
			o.Recordings = func(context.Context) (dataset.Dataset, []dataset.Recording, error) {
				return dataset.Dataset{}, []dataset.Recording{{Item: dataset.Item{Path: "x.wav"}, Err: unreadable}}, nil
			}
		},
	} {
		o := good
		change(&o)
		if _, err := demo.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := good
	o.Command = "wavemill demo --seed 1"
	if _, err := demo.Run(ctx, o); err == nil || !strings.Contains(err.Error(), "begins again: wavemill demo --seed 1") {
		t.Errorf("interrupted at once: %v", err)
	}
}
