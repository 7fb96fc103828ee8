package eval_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/codec"
	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/eval"
)

// BenchmarkTrainedOnClips compares classifiers with augmentation (the policy medium) that learn from generated clips and from the recordings
// that the model learnt from, and tests both on the recordings that it has not seen. The environment has MODEL, a checkpoint,
// CLIPS, a folder of its clips whose names begin with the label, and DATA, the folder of the recordings. models/eval/speakers.sh runs it.
func BenchmarkTrainedOnClips(b *testing.B) {
	path, clips, data := os.Getenv("MODEL"), os.Getenv("CLIPS"), os.Getenv("DATA")
	if path == "" || clips == "" || data == "" {
		b.Skip("MODEL, CLIPS and DATA are not given")
	}
	cp, err := models.Read(path)
	if err != nil || cp.Data == nil {
		b.Fatal("no record of the training's recordings: ", err)
	}
	recordings := func(of []models.Recording) []audio.Clip {
		var out []audio.Clip
		for _, r := range of {
			out = append(out, decoded(b, filepath.Join(data, r.Source), r.Label))
		}
		return out
	}
	set, err := dataset.Scan(b.Context(), []string{clips}, dataset.Options{})
	if err != nil {
		b.Fatal(err)
	}
	var generated []audio.Clip
	for _, it := range set.Items {
		generated = append(generated, decoded(b, it.Path, it.Label))
	}
	var known, unknown []models.Recording
	for _, r := range cp.Data.HeldOut {
		whole := false
		for _, group := range cp.Data.HoldOut {
			_, name, _ := strings.Cut(group, "=")
			whole = whole || r.Group == name
		}
		if whole {
			unknown = append(unknown, r)
		} else {
			known = append(known, r)
		}
	}
	for b.Loop() {
		var all [2]float64
		for i, train := range [][]audio.Clip{generated, recordings(append(cp.Data.Learnt, cp.Data.Chosen...))} {
			c, _, err := eval.TrainTuned(b.Context(), train, eval.TunedOptions{Seed: 1, Policies: eval.Policies()[2:3]})
			if err != nil {
				b.Fatal(err)
			}
			right := func(of []models.Recording) float64 {
				if len(of) == 0 {
					return 0
				}
				return accuracy(b, c, recordings(of)) * float64(len(of))
			}
			k, u := right(known), right(unknown)
			all[i] = (k + u) / float64(len(known)+len(unknown))
			fmt.Printf("%s: learnt from %d; right of %d of known groups %.0f, of %d of groups left out %.0f; in all %.4f\n",
				[]string{"clips", "recordings"}[i], len(train), len(known), k, len(unknown), u, all[i])
		}
		b.ReportMetric(all[0]/all[1], "clips/recordings")
	}
}

func decoded(t testing.TB, path, label string) audio.Clip {
	t.Helper()
	c, _, err := codec.DecodeFile(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	c.Label = label
	return c
}
