package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"wavemill/audio"
	"wavemill/cmd/wavemill/report"
	"wavemill/models/eval"
)

// judged is what the classifier achieves on real recordings that neither it nor its training has seen.
type judged struct {
	trained int // recordings it was trained on; 0: there is no classifier
	why     string
	right   map[string]int // held-out recordings named rightly, by label
	total   map[string]int
}

func (j judged) rightAll() int { return sum(j.right) }
func (j judged) totalAll() int { return sum(j.total) }

func sum(m map[string]int) int {
	n := 0
	for _, v := range m {
		n += v
	}
	return n
}

// summary says in a line how good the classifier is.
func (j judged) summary() string {
	if j.trained == 0 {
		return j.why
	}
	return fmt.Sprintf("names %d of %d held-out recordings rightly", j.rightAll(), j.totalAll())
}

// The classifier gets half the training's time, within these limits: less and it is not worth listening to, more and
// it is no better.
const (
	shortestJudge = 30 * time.Second
	longestJudge  = 60 * time.Second
)

// trainClassifier trains the judge on real recordings only and measures it on the held-out ones. Where there is only
// one label, or nothing to hold out, there is no judge, and the report says so.
func (d *demo) trainClassifier(ctx context.Context) error {
	if len(d.labels) < 2 {
		d.judged.why = "one label alone cannot be told from others"
		return nil
	}
	if len(d.held) == 0 {
		d.judged.why = "too few recordings to hold some out"
		return nil
	}
	o := eval.Options{Seed: d.o.seed, Epochs: d.o.judgeEpochs}
	task := d.console.Start("train the classifier", 0, "epochs")
	defer task.Done()
	o.OnProgress = func(p eval.Progress) {
		task.Total(int64(p.Epochs))
		task.Set(int64(p.Epoch))
		task.Note("loss %.3f", p.Loss)
	}
	if d.o.steps == 0 {
		o.Budget = min(max(d.o.budget/2, shortestJudge), longestJudge)
	}
	c, err := eval.Train(ctx, clipsOf(d.train), o)
	if err != nil {
		return fmt.Errorf("train the classifier: %w", err)
	}
	j := judged{trained: len(d.train), right: map[string]int{}, total: map[string]int{}}
	p, err := c.Predict(ctx, clipsOf(d.held))
	if err != nil {
		return err
	}
	for i, r := range d.held {
		heard, _ := p.Label(i)
		j.total[r.item.Label]++
		if c.Labels()[heard] == r.item.Label {
			j.right[r.item.Label]++
		}
	}
	d.judged = j
	d.classifier.Store(c)
	return nil
}

func clipsOf(recordings []recording) []audio.Clip {
	clips := make([]audio.Clip, len(recordings))
	for i, r := range recordings {
		clips[i] = r.clip
	}
	return clips
}

// confusion lets the classifier listen to the generated clips, writes into each what it hears, and counts.
func (d *demo) confusion(ctx context.Context) (report.Confusion, error) {
	c := d.classifier.Load()
	if c == nil {
		return report.Confusion{}, nil
	}
	sounds := make([]audio.Clip, len(d.clips))
	for i, clip := range d.clips {
		sounds[i] = clip.sound
	}
	p, err := c.Predict(ctx, sounds)
	if err != nil {
		return report.Confusion{}, err
	}
	labels := c.Labels()
	counts := make([][]int, len(labels))
	for i := range counts {
		counts[i] = make([]int, len(labels))
	}
	for i := range d.clips {
		heard, _ := p.Label(i)
		wanted, ok := slices.BinarySearch(labels, d.clips[i].Label)
		if !ok {
			continue
		}
		confidence := p.Probs[i][wanted]
		d.clips[i].Confidence, d.clips[i].Heard = &confidence, labels[heard]
		counts[wanted][heard]++
	}
	return report.Confusion{Labels: labels, Counts: counts}, nil
}
