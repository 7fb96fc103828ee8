package report

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

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
		return Sound{Name: name, Detail: "seed 12 · heard as kick, 97 %", WAV: []byte("RIFF"), PNG: b.Bytes(), Doubted: k == 3}
	}
	var labels []Label
	for _, name := range []string{"kick", "pluck", `a <b> "c" & *.>`} {
		l := Label{Name: name, MadeRight: 9, MadeTotal: 10, RealRight: 19, RealTotal: 20}
		for k := range 3 {
			l.Real = append(l.Real, sound(name+"_real.wav", k))
		}
		for k := range 10 {
			l.Made = append(l.Made, sound(name+"_0"+string(rune('0'+k))+".wav", k))
		}
		labels = append(labels, l)
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
		Title:   "Thirty sounds that nobody recorded",
		Summary: "A conditional VAE listened to 600 recordings of 3 labels for 1m0s and made 10 new clips of each.",
		Made:    time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC),
		Tiles: []Tile{
			{Value: "90 %", Name: "of generated clips", Detail: "heard as the label that was asked for", Good: true},
			{Value: "12 %", Name: "bad", Bad: true},
			{Value: "600", Name: "recordings"},
			{Value: "1m0s", Name: "training", Detail: "1,200 steps"},
		},
		Labels: labels,
		Curves: []Curve{
			{Name: "reconstruction", Lines: []Line{line("training", 0.9, 0.2), line("validation", 1, 0.3)}},
			{Name: "kl", Lines: []Line{line("training", 0.1, 12500)}},
		},
		Heard:   Confusion{Labels: []string{"kick", "pluck", `a <b> "c" & *.>`}, Counts: [][]int{{9, 1, 0}, {0, 10, 0}, {0, 2, 8}}},
		Letters: []Letter{{"bad/text.wav", "not an audio file: it begins with \"hello\""}, {"bad/<script>.wav", "truncated"}},
		Notes:   []string{"1 recording was resampled from 44100 Hz"},
		Facts:   []Fact{{"seed", "1"}, {"model digest", strings.Repeat("ab12", 16)}},
		Timings: []Timing{{"publish", 300 * time.Millisecond, "600 files"}, {"train", time.Minute, ""}, {"generate", 3 * time.Second, "30 clips"}},
		Command: "wavemill demo --seed 1",
		Next:    []Fact{{"More of one label", "wavemill generate --model model.safetensors --label kick --n 5"}},
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
		"prefers-color-scheme: dark", "polyline", "9 of 10 heard as kick", "model digest", "truncated", `class="sound doubted"`,
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
	if strings.Contains(page, "<script>.wav") || strings.Contains(page, "a <b>") {
		t.Error("a name from outside is not escaped")
	}
}

func TestEmptyPageIsAPage(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, Page{Title: "Nothing"}); err != nil {
		t.Fatal(err)
	}
	for _, leftOut := range []string{"<h2>Listen", "<h2>Training", "<h2>Again", "<table", "class=\"tile\""} {
		if strings.Contains(b.String(), leftOut) {
			t.Errorf("an empty page has %q", leftOut)
		}
	}
}

func TestWriteFileIsAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "report.html")
	for range 2 {
		if err := WriteFile(path, sample(t)); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files left, want the report alone (%v)", len(entries), err)
	}
	if err := WriteFile(filepath.Join(dir, "none", "report.html"), Page{}); err == nil {
		t.Error("a folder that does not exist was no error")
	}
}

func TestChart(t *testing.T) {
	nan := Curve{Name: "x", Lines: []Line{{Steps: []float64{0, 1, 2}, Values: []float64{1, math.NaN(), 3}}}}
	if svg := string(chart(nan)); strings.Contains(svg, "NaN") || !strings.Contains(svg, "polyline") {
		t.Errorf("a missing value: %s", svg)
	}
	if svg := chart(Curve{Name: "nothing"}); svg != "" {
		t.Errorf("an empty curve gave %s", svg)
	}
	flat := Curve{Name: "flat", Lines: []Line{{Steps: []float64{5}, Values: []float64{0}}}}
	if svg := string(chart(flat)); strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
		t.Errorf("one point at zero: %s", svg)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", math.Copysign(0, -1): "0", -1e-13: "0", 0.30000000000000004: "0.3", -2000: "-2000", 12500: "12.5k"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %s, want %s", v, got, want)
		}
	}
}

func TestThumbnail(t *testing.T) {
	data := []float32{-9, 0, 1, 2, 5, float32(math.Inf(1))} // 3 frames of 2 bins
	b, err := Thumbnail(data, 3, 2, 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if img.Bounds() != image.Rect(0, 0, 3, 2) {
		t.Fatalf("bounds %v", img.Bounds())
	}
	// Frame 0, bin 0 is the lower left corner, below the range; frame 2, bin 1 the upper right, above it.
	dark, bright := color.RGBAModel.Convert(img.At(0, 1)), color.RGBAModel.Convert(img.At(2, 0))
	if dark != (color.RGBA{0, 0, 4, 255}) || bright != (color.RGBA{252, 253, 191, 255}) {
		t.Errorf("lowest %v, highest %v", dark, bright)
	}
	if _, err := Thumbnail(data, 2, 2, 0, 1); err == nil {
		t.Error("six values were a picture of two by two")
	}
	if _, err := Thumbnail(make([]float32, 4), 2, 2, 1, 1); err != nil {
		t.Errorf("a flat picture: %v", err)
	}
}

func TestTicksAreRound(t *testing.T) {
	for _, tc := range []struct{ low, high float64 }{{0, 1}, {0, 0.037}, {-3, 12000}, {5, 5}} {
		got := ticks(tc.low, tc.high, 5)
		if len(got) == 0 || len(got) > 7 {
			t.Errorf("%v to %v: ticks %v", tc.low, tc.high, got)
		}
		for _, v := range got {
			if v < tc.low-1e-9 || v > tc.high+1e-9 {
				t.Errorf("%v to %v: tick %v is outside", tc.low, tc.high, v)
			}
		}
	}
}
