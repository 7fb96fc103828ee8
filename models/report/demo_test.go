package report

import (
	"strings"
	"testing"
	"time"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/audio/synth"
	"wavemill/models"
	"wavemill/models/frontend"
)

// demo is a demo of two labels, with a generated clip of each: one classified as requested, one not.
func demo(t *testing.T) Demo {
	t.Helper()
	labels := []string{"chirp", "kick <1>"}
	d := Demo{Digest: "abcd", Took: 90 * time.Second, Notes: []string{"a note"}, Letters: []Letter{{"x.wav", "empty"}}, Facts: []Fact{{"seed", "7"}}}
	var clips []audio.Clip
	for i, class := range []string{"chirp", "kick"} {
		for n := range uint64(6) {
			c, err := synth.Clip(class, n, 8000)
			if err != nil {
				t.Fatal(err)
			}
			c.Label = labels[i]
			clips = append(clips, c)
			r := dataset.Recording{Item: dataset.Item{Name: class + "/" + string(rune('a'+n)) + ".wav", Label: c.Label}, Clip: c, Digest: class + string(rune('a'+n))}
			if n == 0 {
				d.HeldOut = append(d.HeldOut, r)
				continue
			}
			d.Learnt = append(d.Learnt, r)
		}
		d.Clips = append(d.Clips, DemoClip{File: class + "_7.wav", Sound: clips[len(clips)-1], Assigned: "chirp", Confidence: 0.75})
	}
	d.Learnt = append(d.Learnt, dataset.Recording{Item: dataset.Item{Name: "z.wav", Label: "of a label that the model does not know"}, Clip: clips[0]})
	d.Checkpoint = models.Checkpoint{Arch: "vae", Step: 20, BatchSize: 8, Labels: labels, FrontEnd: frontend.PlanFor(clips)}
	d.Generated = Confusion{Name: "generated clips", Labels: labels, Counts: [][]int{{1, 0}, {1, 0}}}
	d.Real = Confusion{Name: "held-out recordings", Labels: labels, Counts: [][]int{{1, 0}, {0, 1}}}
	return d
}

func TestDemoPage(t *testing.T) {
	p, err := demo(t).Page()
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Labels) != 2 || len(p.Labels[0].Sides[0].Clips) != realShown || len(p.Labels[1].Sides[1].Clips) != 1 || len(p.HeldOut) != 2 || len(p.Confusions) != 2 {
		t.Fatalf("page %+v", p)
	}
	if good, bad := p.Labels[0].Sides[1].Clips[0], p.Labels[1].Sides[1].Clips[0]; good.Doubted || good.Detail != "classified as chirp, 75\u00a0%" || !bad.Doubted || bad.Detail != "classified as chirp" {
		t.Errorf("details %q and %q", good.Detail, bad.Detail)
	}
	html := written(t, p)
	for _, want := range []string{
		"2 generated clips", "A conditional VAE was trained for 1m30s (20 steps) on 11 recordings of 2 labels.", "<b>50.0 %</b>",
		"1 of 2 are classified as the requested label; 95 % interval", "2 of 2 are classified correctly", "kick &lt;1&gt;", "a note", "dead letters", "abcd",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// Without a classifier the page says why, and shows no figure that one would have measured.
func TestDemoPageWithoutClassifier(t *testing.T) {
	d := demo(t)
	d.Generated, d.Real, d.NoClassifier, d.Untrusted = Confusion{}, Confusion{}, "it needs two labels", "not to be trusted"
	for i := range d.Clips {
		d.Clips[i].Assigned = ""
	}
	p, err := d.Page()
	if err != nil {
		t.Fatal(err)
	}
	html := written(t, p)
	if !strings.Contains(html, "it needs two labels") || !strings.Contains(html, "not to be trusted") || strings.Contains(html, "classified as") || strings.Contains(html, "95 % interval") {
		t.Error("the page shows figures of a classifier, or not why there is none")
	}
}
