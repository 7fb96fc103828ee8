package eval_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wavemill/audio"
	"wavemill/audio/synth"
	"wavemill/models"
	"wavemill/models/eval"
)

// synthetic returns n clips of each of the synthesiser's classes, from a seed on.
func synthetic(t testing.TB, n int, seed uint64, rate int) []audio.Clip {
	t.Helper()
	clips, err := beginnings(n, seed, rate)
	if err != nil {
		t.Fatal(err)
	}
	return clips
}

// beginnings are the first quarter of a second of clips: classifiers of them have half the frames, and tell them apart as well.
func beginnings(n int, seed uint64, rate int) ([]audio.Clip, error) {
	var clips []audio.Clip
	for i := range n {
		for _, class := range synth.Classes() {
			c, err := synth.Clip(class, seed+uint64(i), rate)
			if err != nil {
				return nil, err
			}
			c.Samples = c.Samples[:min(rate/4, len(c.Samples))]
			clips = append(clips, c)
		}
	}
	return clips, nil
}

// small is a training that takes a second or two.
func small(seed uint64) eval.Options { return eval.Options{Seed: seed, Epochs: 25} }

// trained trains one classifier for all tests that only use it.
var trained = sync.OnceValues(func() (*eval.Classifier, error) {
	clips, err := beginnings(20, 0, 8000)
	if err != nil {
		return nil, err
	}
	return eval.Train(context.Background(), clips, small(3))
})

func classifier(t testing.TB) *eval.Classifier {
	t.Helper()
	c, err := trained()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// accuracy is the share of clips that c names rightly.
func accuracy(t testing.TB, c *eval.Classifier, clips []audio.Clip) float64 {
	t.Helper()
	p, err := c.Predict(t.Context(), clips)
	if err != nil {
		t.Fatal(err)
	}
	right := 0.0
	for i, heard := range p.Labels() {
		if c.Labels()[heard] == clips[i].Label {
			right++
		}
	}
	return right / float64(len(clips))
}

func TestClassifierLearns(t *testing.T) {
	c := classifier(t)
	if !slices.Equal(c.Labels(), synth.Classes()) {
		t.Errorf("labels %q", c.Labels())
	}
	if h := c.HeldOut(); h.Clips != 12 || h.Accuracy != c.HeldOutAccuracy() || !(h.NLL >= 0) || !(h.ECE >= 0 && h.ECE <= 1) {
		t.Errorf("held out: %+v", h)
	}
	if a := accuracy(t, c, synthetic(t, 20, 1000, 8000)); a < 0.95 {
		t.Errorf("%.3f of fresh clips named rightly", a)
	}
	// The same sounds at another rate, in stereo and with silence around them.
	foreign := synthetic(t, 4, 2000, 8000)
	for i, clip := range foreign {
		clip, err := audio.Resample(clip, 44100)
		if err != nil {
			t.Fatal(err)
		}
		stereo := make([]float32, 0, 2*len(clip.Samples)+88200)
		stereo = append(stereo, make([]float32, 30000)...)
		for _, v := range clip.Samples {
			stereo = append(stereo, v, v)
		}
		foreign[i].Samples, foreign[i].Channels, foreign[i].Rate = append(stereo, make([]float32, 30000)...), 2, 44100
	}
	if a := accuracy(t, c, foreign); a < 0.9 {
		t.Errorf("%.3f of stereo clips at 44.1 kHz named rightly", a)
	}
}

func TestPredictionsAreProbabilities(t *testing.T) {
	clips := synthetic(t, 2, 50, 8000)
	p, err := classifier(t).Predict(t.Context(), clips)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Probs) != len(clips) || len(p.Features) != len(clips) {
		t.Fatalf("%d probabilities, %d features for %d clips", len(p.Probs), len(p.Features), len(clips))
	}
	for i, row := range p.Probs {
		var sum float64
		for _, v := range row {
			sum += v
		}
		if len(row) != 6 || math.Abs(sum-1) > 1e-9 || len(p.Features[i]) != eval.FeatureSize {
			t.Errorf("clip %d: %d probabilities that add to %g, %d features", i, len(row), sum, len(p.Features[i]))
		}
		label, confidence := p.Label(i)
		if confidence != slices.Max(row) || row[label] != confidence || p.Labels()[i] != label {
			t.Errorf("clip %d: label %d at %g of %v", i, label, confidence, row)
		}
	}
}

// How clips are grouped into calls, and who else calls, changes nothing.
func TestPredictIsTheSameAloneAndTogether(t *testing.T) {
	c := classifier(t)
	clips := synthetic(t, 7, 70, 8000)
	want, err := c.Predict(t.Context(), clips)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for at := i; at < len(clips); at += 5 {
				p, err := c.Predict(context.Background(), clips[at:at+1])
				if err != nil || !slices.Equal(p.Probs[0], want.Probs[at]) || !slices.Equal(p.Features[0], want.Features[at]) {
					t.Errorf("clip %d: alone %v, together %v, error %v", at, p.Probs, want.Probs[at], err)
				}
			}
		})
	}
	group.Wait()
	empty, err := c.Predict(t.Context(), nil)
	if err != nil || len(empty.Probs) != 0 {
		t.Errorf("no clips: %v, %v", empty, err)
	}
}

func TestOddClips(t *testing.T) {
	c := classifier(t)
	silent := audio.Clip{Samples: make([]float32, 4000), Channels: 1, Rate: 8000}
	long := audio.Clip{Samples: make([]float32, 80000), Channels: 1, Rate: 8000}
	for i := range long.Samples {
		long.Samples[i] = float32(math.Sin(float64(i) / 5))
	}
	p, err := c.Predict(t.Context(), []audio.Clip{silent, long, {Samples: []float32{0.5}, Channels: 1, Rate: 8000}})
	if err != nil || len(p.Probs) != 3 {
		t.Errorf("a silent, a long and a very short clip: %d answers, %v", len(p.Probs), err)
	}
	nan := synthetic(t, 1, 1, 8000)[0]
	nan.Samples = slices.Clone(nan.Samples)
	nan.Samples[3] = float32(math.NaN())
	for name, bad := range map[string]audio.Clip{"NaN": nan, "no rate": {Samples: []float32{1}, Channels: 1}} {
		if _, err := c.Predict(t.Context(), []audio.Clip{silent, bad}); err == nil || !strings.Contains(err.Error(), "clip 1") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestTrainRefuses(t *testing.T) {
	good := synthetic(t, 3, 1, 8000)
	nameless := slices.Clone(good)
	nameless[4].Label = ""
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx   context.Context
		clips []audio.Clip
		o     eval.Options
		want  string
	}{
		"nothing":         {t.Context(), nil, small(1), "two labels"},
		"one label":       {t.Context(), good[:1], small(1), "two labels"},
		"a nameless clip": {t.Context(), nameless, small(1), "clip 4"},
		"one of each":     {t.Context(), good[:6], small(1), "single clip to train on"},
		"all held out":    {t.Context(), good, eval.Options{Holdout: 1}, "held-out share"},
		"cancelled":       {cancelled, good, small(1), "canceled"},
	} {
		if _, err := eval.Train(c.ctx, c.clips, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestSameSeedSameClassifier(t *testing.T) {
	clips := synthetic(t, 6, 1, 8000)
	digest := func(seed uint64) string {
		t.Helper()
		c, err := eval.Train(t.Context(), clips, eval.Options{Seed: seed, Epochs: 4})
		if err != nil {
			t.Fatal(err)
		}
		cp, err := c.Checkpoint()
		if err != nil {
			t.Fatal(err)
		}
		d, err := cp.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	first := digest(1)
	if again := digest(1); again != first {
		t.Errorf("the same seed gave %s and %s", first, again)
	}
	if other := digest(2); other == first {
		t.Error("another seed gave the same classifier")
	}
}

func TestBudgetEndsTraining(t *testing.T) {
	clips := synthetic(t, 6, 1, 8000)
	began := time.Now()
	c, err := eval.Train(t.Context(), clips, eval.Options{Epochs: 100000, Budget: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("a budget of 0.3 s took %v", took)
	}
	if cp, err := c.Checkpoint(); err != nil || cp.Step < 1 || cp.Step > 100000 {
		t.Errorf("%d steps, error %v", cp.Step, err)
	}
}

func TestCheckpointKeepsTheClassifier(t *testing.T) {
	c := classifier(t)
	cp, err := c.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	file, err := cp.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if cp, err = models.Decode(file); err != nil {
		t.Fatal(err)
	}
	again, err := eval.Open(cp)
	if err != nil {
		t.Fatal(err)
	}
	if again.HeldOut() != c.HeldOut() || !slices.Equal(again.Labels(), c.Labels()) {
		t.Errorf("%+v %q, was %+v %q", again.HeldOut(), again.Labels(), c.HeldOut(), c.Labels())
	}
	clips := synthetic(t, 2, 5, 8000)
	a, err := c.Predict(t.Context(), clips)
	if err != nil {
		t.Fatal(err)
	}
	b, err := again.Predict(t.Context(), clips)
	if err != nil {
		t.Fatal(err)
	}
	for i := range a.Probs {
		if !slices.Equal(a.Probs[i], b.Probs[i]) || !slices.Equal(a.Features[i], b.Features[i]) {
			t.Errorf("clip %d: %v, was %v", i, b.Probs[i], a.Probs[i])
		}
	}
	for name, spoil := range map[string]func(*models.Checkpoint){
		"another architecture": func(c *models.Checkpoint) { c.Arch = "vae" },
		"one label":            func(c *models.Checkpoint) { c.Labels = c.Labels[:1] },
		"a label more":         func(c *models.Checkpoint) { c.Labels = append(slices.Clone(c.Labels), "x") },
		"no temperature":       func(c *models.Checkpoint) { c.Config = []byte(`{}`) },
		"no config":            func(c *models.Checkpoint) { c.Config = nil },
		"a tensor missing":     func(c *models.Checkpoint) { c.Tensors = c.Tensors[1:] },
		"a tensor more": func(c *models.Checkpoint) {
			c.Tensors = append(slices.Clone(c.Tensors), models.Tensor{Name: "x", Shape: []int{1}, Data: []float32{1}})
		},
		"no front end": func(c *models.Checkpoint) { c.FrontEnd = models.FrontEnd{} },
	} {
		bad := cp
		spoil(&bad)
		if _, err := eval.Open(bad); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestProgressIsTold(t *testing.T) {
	var told []eval.Progress
	_, err := eval.Train(t.Context(), synthetic(t, 4, 1, 8000), eval.Options{Epochs: 3, OnProgress: func(p eval.Progress) { told = append(told, p) }})
	if err != nil || len(told) != 3 || told[2].Epoch != 3 || told[2].Epochs != 3 || !(told[0].Loss > 0) {
		t.Errorf("%+v, error %v", told, err)
	}
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err = eval.Train(ctx, synthetic(t, 4, 1, 8000), eval.Options{Epochs: 1000, OnProgress: func(eval.Progress) { cancel(stop) }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled in the middle: error %v", err)
	}
}

func ExampleTrain() {
	var clips []audio.Clip
	for i := range uint64(12) {
		for _, class := range []string{"kick", "bell"} {
			c, err := synth.Clip(class, i, 8000)
			if err != nil {
				fmt.Println(err)
				return
			}
			clips = append(clips, c)
		}
	}
	c, err := eval.Train(context.Background(), clips, eval.Options{Seed: 1, Epochs: 30})
	if err != nil {
		fmt.Println(err)
		return
	}
	bell, err := synth.Clip("bell", 99, 8000)
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := c.Predict(context.Background(), []audio.Clip{bell})
	if err != nil {
		fmt.Println(err)
		return
	}
	label, _ := p.Label(0)
	fmt.Println(c.Labels(), "heard:", c.Labels()[label])
	// Output: [bell kick] heard: bell
}
