package report

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"wavemill/models/comparison"
	"wavemill/models/eval"
	"wavemill/models/training"
)

// figures is a report of two models with intervals, groups and a gain that is none.
func figures() comparison.Report {
	share := func(v float64) *float64 { return &v }
	row := func(name string, alone float64) eval.Row {
		return eval.Row{
			Name: name, Kind: "model", Clips: 900, LabelAccuracy: 0.95, DiversityRatio: 0.9, InceptionRatio: 0.8, FrechetRatio: 2,
			Confusion: [][]int{{9, 1}, {0, 10}}, Training: &eval.Training{Arch: "vae", Digest: "d1", Checkpoint: "m.safetensors"},
			Intervals: eval.Intervals{"label_accuracy": {0.9, 0.98}},
			Usefulness: &eval.Usefulness{
				Alone: alone, Real: 0.99, Ratio: alone / 0.99,
				Intervals: eval.Intervals{"trained_on_synthetic": {alone - 0.01, alone + 0.01}},
				Added: []eval.Gain{{
					Share: 0.05, RealClips: 45, Added: 900, Alone: 0.8, Before: 0.9, After: 0.91, Points: 1, None: true, TestClips: 300,
					Intervals: eval.Intervals{"gain_points": {-2, 4}, "recordings_alone": {0.7, 0.85}},
				}},
				Groups: &eval.Groups{
					Known:   &eval.GroupFigures{Recordings: 20, Names: []string{"theo"}, Alone: share(0.9), Intervals: eval.Intervals{"trained_on_synthetic": {0.8, 0.95}}},
					Unknown: &eval.GroupFigures{Recordings: 7, Names: []string{"<i>zoe</i>"}, Alone: share(0.5)},
				},
			},
			NotMeasured: map[string]string{"frechet": "too few clips"},
		}
	}
	r := comparison.Report{
		Report: eval.Report{
			Labels: []string{"no", "<u>yes</u>"}, TrainClips: 900, HeldOut: 300, Rows: []eval.Row{row("vae", 0.98), row("<b>gan</b>", 0.8)},
			Evaluator: eval.EvaluatorAccuracy{Accuracy: 0.99, Intervals: eval.Intervals{"accuracy": {0.97, 1}}, Trusted: true},
		},
		Warnings: []string{"some <held-out> recordings may have been seen"},
		HeldOut:  []training.HeldOut{{Source: "a/<x>.wav", Label: "no", Digest: "0123"}},
	}
	r.Differences = []eval.Difference{{Figure: "label_accuracy", A: "vae", B: "<b>gan</b>", Interval: eval.Interval{-0.1, 0.1}, None: true}}
	return r
}

// sample is a page with every part filled in.
func sample(t *testing.T) Page {
	t.Helper()
	sound := func(name string, k int) Sound {
		img := image.NewRGBA(image.Rect(0, 0, 48, 48))
		for y := range 48 {
			for x := range 48 {
				v := uint8(128 + 127*math.Sin(float64(x*y*(k+1))/200))
				img.Set(x, y, color.RGBA{v, uint8(x * 3), 160 - v/2, 255})
			}
		}
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			t.Fatal(err)
		}
		return Sound{Name: name, Detail: "seed 12 · classified as kick, 97 %", WAV: []byte("RIFF"), PNG: b.Bytes(), Doubted: k == 3}
	}
	var labels []Label
	for _, name := range []string{"kick", "pluck", `a <b> "c" & *.>`} {
		real, made := Side{Name: "recordings"}, Side{Name: "generated", Generated: true}
		for k := range 3 {
			real.Clips = append(real.Clips, Clip{Sound: sound(name+"_real.wav", k)})
		}
		for k := range 10 {
			near := sound(name+"_near.wav", k)
			made.Clips = append(made.Clips, Clip{Sound: sound(name+"_0"+string(rune('0'+k))+".wav", k), Nearest: &near})
		}
		labels = append(labels, Label{Name: name, Scores: []string{"9 of 10 classified as " + name}, Sides: []Side{real, made, {Name: "nothing"}}})
	}
	line := func(name string, from, to float64) Line {
		l := Line{Name: name}
		for i := range 60 {
			l.Steps = append(l.Steps, float64(20*i))
			l.Values = append(l.Values, to+(from-to)*math.Exp(-float64(i)/12))
		}
		return l
	}
	return Page{
		Title:   "Thirty sounds",
		Summary: "A conditional VAE was trained for 1m0s on 600 recordings of 3 labels.",
		Made:    time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC),
		Tiles: []Tile{
			{Value: "90 %", Name: "of generated clips", Detail: "classified as requested", Good: true},
			{Value: "12 %", Name: "bad", Bad: true},
			{Value: "600", Name: "recordings"},
			{Value: "1m0s", Name: "training", Detail: "1,200 steps"},
		},
		Labels: labels,
		Curves: []Curve{
			{Name: "reconstruction", Lines: []Line{line("training", 0.9, 0.2), line("validation", 1, 0.3)}},
			{Name: "kl", Lines: []Line{line("training", 0.1, 12500)}},
		},
		Figures: FiguresOf(figures()), Warnings: []string{"not to be <trusted>"}, HeldOut: make([]training.HeldOut, heldOutShown+5),
		Verdict:    &comparison.Verdict{Ship: "vae", Headline: "Ship vae.", Reasons: []string{"a reason"}, Cautions: []string{"a caution"}},
		SoundsHint: "Click a picture.",
		Confusions: []Confusion{{Name: "generated", Labels: []string{"kick", "pluck", `a <b> "c" & *.>`}, Counts: [][]int{{9, 1, 0}, {0, 10, 0}, {0, 2, 8}}}},
		Letters:    []Letter{{"bad/text.wav", "not an audio file: it begins with \"hello\""}, {"bad/<script>.wav", "truncated"}},
		Notes:      []string{"1 recording was resampled from 44100 Hz"},
		Facts:      []Fact{{"seed", "1"}, {"model digest", strings.Repeat("ab12", 16)}},
		Timings:    []Timing{{"publish", 300 * time.Millisecond, "600 files"}, {"train", time.Minute, ""}, {"generate", 3 * time.Second, "30 clips"}},
		Command:    "wavemill demo --seed 1",
		Next:       []Fact{{"More of one label", "wavemill generate --model model.safetensors --label kick --n 5"}},
	}
}

func TestPageStandsAlone(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, sample(t)); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	if where := os.Getenv("WAVEMILL_REPORT_SAMPLE"); where != "" {
		if err := os.WriteFile(where, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{
		"Thirty sounds", "data:image/png;base64,", "data:audio/wav;base64,UklGRg==", "<audio controls",
		"prefers-color-scheme: dark", "polyline", "9 of 10 classified as kick", "model digest", "truncated", `class="sound doubted"`,
		"Ship vae.", "a reason", `class="caution">a caution`, "not to be &lt;trusted&gt;", "205 held-out recordings", "and 5 more",
		"0.980 [0.970, 0.990]", "&lt;b&gt;gan&lt;/b&gt;", "99.0 % [97.0, 100.0]", "&#43;1.0 [-2.0, &#43;4.0]", "<td>no difference shown</td>", "<td>80.0 % [70.0, 85.0]</td>", "<td>45 (5 %)</td>", "<td>300</td>", "label accuracy", "too few clips",
		"unknown groups", "90.0 % [80.0, 95.0]", "50.0 %", "&lt;i&gt;zoe&lt;/i&gt;", "Click a picture.", `class="nearest"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	// Every reference is a data URI: nothing is asked of another machine.
	for _, m := range regexp.MustCompile(`(?i)(?:src|href|url)\s*[=(]\s*["']?([^"'\s>)]*)`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[1], "data:") {
			t.Errorf("the page refers to %q", m[1])
		}
	}
	if regexp.MustCompile(`https?://|@import|ZgotmplZ`).MatchString(page) {
		t.Error("the page names an address or has an unsafe value blanked out")
	}
	for _, raw := range []string{"<script>.wav", "a <b>", "<b>gan", "<i>zoe", "<trusted>", "NaN", "<no value>"} {
		if strings.Contains(page, raw) {
			t.Errorf("the page has %q, which is not escaped", raw)
		}
	}
}

func TestEmptyPageIsAPage(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, Page{Title: "Nothing"}); err != nil {
		t.Fatal(err)
	}
	for _, leftOut := range []string{"<h2", "<table", "class=\"tile\"", "class=\"verdict", "class=\"warning"} {
		if strings.Contains(b.String(), leftOut) {
			t.Errorf("an empty page has %q", leftOut)
		}
	}
}

// A page that cannot be written is an error.
func TestWriteReportsErrors(t *testing.T) {
	if err := Write(broken{}, sample(t)); !errors.Is(err, errFull) {
		t.Errorf("a full disk gave %v", err)
	}
}

var errFull = errors.New("no space left")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errFull }
