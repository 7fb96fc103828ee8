package demo_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"wavemill/audio/dataset"
	"wavemill/audio/synth"
	"wavemill/operators/demo"
	"wavemill/operators/generate"
	"wavemill/operators/spectrogram"
	"wavemill/operators/train"
	"wavemill/pipeline"
)

// A demo of two training steps on a few synthesised recordings.
func ExampleRun() {
	dir, err := os.MkdirTemp("", "demo")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	result, err := demo.Run(context.Background(), demo.Options{
		Out: filepath.Join(dir, "results"), Arch: "vae", Steps: 2, Seed: 1, PerLabel: 1, ClassifierEpochs: 1,
		Recordings: func(ctx context.Context) (dataset.Dataset, []dataset.Recording, error) {
			folder := filepath.Join(dir, "recordings")
			if err := (synth.Set{PerClass: 4, Seed: 1, Rate: 8000}).Write(ctx, folder, nil); err != nil {
				return dataset.Dataset{}, nil, err
			}
			set, err := dataset.Scan(ctx, []string{folder}, dataset.Options{})
			if err != nil {
				return dataset.Dataset{}, nil, err
			}
			all, err := dataset.Load(ctx, set.Items, nil)
			return set, all, err
		},
		Holdout: dataset.DefaultHoldout(1),
		Operators: func(h demo.Hooks) pipeline.Registry {
			return pipeline.Registry{
				"generate":    generate.Factory(h.Generate),
				"spectrogram": spectrogram.Factory(),
				"train":       train.Factory(h.Train),
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	s := result.Summary
	fmt.Printf("%d clips of %d labels after %d steps\n", s.Clips, len(s.Labels), s.Steps)
	_, err = os.Stat(s.Report)
	fmt.Println("report written:", err == nil)
	// Output:
	// 6 clips of 6 labels after 2 steps
	// report written: true
}
