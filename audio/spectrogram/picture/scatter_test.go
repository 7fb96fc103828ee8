package picture

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"
	"testing"
)

// painted counts the pixels of a colour in a rectangle, and returns their middle.
func painted(img image.Image, r image.Rectangle, want color.Color) (count int, middle image.Point) {
	wr, wg, wb, _ := want.RGBA()
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if pr, pg, pb, _ := img.At(x, y).RGBA(); pr == wr && pg == wg && pb == wb {
				count++
				middle = middle.Add(image.Pt(x, y))
			}
		}
	}
	if count > 0 {
		middle = middle.Div(count)
	}
	return count, middle
}

func TestScatterPutsPointsInTheirPlaces(t *testing.T) {
	s := Scatter{Width: 300, Height: 200, Title: "title", Note: "note", X: "x", Y: "y", Kinds: []string{"low", "high"}}
	var b bytes.Buffer
	if err := s.Write(&b, []Mark{{0, 0, 0}, {10, 0, 1}, {5, 4, 1}}); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	plane := image.Rect(marginLeft, marginTop+lineHeight, marginLeft+300, marginTop+lineHeight+200)
	disc, at := painted(img, plane, okabeIto[0])
	if disc < 20 || at.X > plane.Min.X+20 || at.Y < plane.Max.Y-20 {
		t.Errorf("the point of the first kind has %d pixels around %v; the plane is %v", disc, at, plane)
	}
	two, at := painted(img, plane, okabeIto[1])
	// Half way between the right bottom corner and the middle of the top.
	if two != 2*disc || math.Abs(float64(at.X-plane.Min.X)-0.75*300) > 15 || math.Abs(float64(at.Y-plane.Min.Y)-100) > 5 {
		t.Errorf("the points of the second kind have %d pixels around %v", two, at)
	}
	beside := image.Rect(plane.Max.X+1, plane.Min.Y, img.Bounds().Max.X, plane.Max.Y)
	for i := range 2 {
		if n, at := painted(img, beside, okabeIto[i]); n != disc || at.Y > plane.Min.Y+(i+1)*legendLine {
			t.Errorf("kind %d has %d pixels around %v in the legend", i, n, at)
		}
	}
}

// TestScatterTellsKindsApart draws as many kinds as there may be: no two have colour and shape in common.
func TestScatterTellsKindsApart(t *testing.T) {
	p := kindPalette(maxKinds)
	seen := map[[2]any]int{}
	for kind := range maxKinds {
		key := [2]any{p[firstColor+kind], kind / 10 % 6}
		if other, ok := seen[key]; ok {
			t.Errorf("kinds %d and %d look the same", other, kind)
		}
		seen[key] = kind
	}
	s := Scatter{Width: 60, Height: 60, Kinds: make([]string, maxKinds)}
	var marks []Mark
	for kind := range maxKinds {
		marks = append(marks, Mark{1, 1, kind}) // all in one place, which is no reason to fail
	}
	if err := s.Write(&bytes.Buffer{}, marks); err != nil {
		t.Error(err)
	}
}

func TestScatterRefuses(t *testing.T) {
	good := Scatter{Width: 100, Height: 100, Kinds: []string{"a"}}
	for want, f := range map[string]func(s *Scatter) []Mark{
		"without points": func(*Scatter) []Mark { return nil },
		"kind 1 of 1":    func(*Scatter) []Mark { return []Mark{{0, 0, 1}} },
		"NaN":            func(*Scatter) []Mark { return []Mark{{math.NaN(), 0, 0}} },
		"pixels":         func(s *Scatter) []Mark { s.Width = 1 << 20; return []Mark{{}} },
		"kinds":          func(s *Scatter) []Mark { s.Kinds = make([]string, maxKinds+1); return []Mark{{}} },
	} {
		s := good
		if err := s.Write(&bytes.Buffer{}, f(&s)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestSheetDrawsEachPlot(t *testing.T) {
	s := Sheet{Title: "title", Note: "note", Columns: 2}
	for range 3 {
		s.Plots = append(s.Plots, Plot{Width: 40, Height: 30, Title: "a long title that does not fit", X: Linear(0, 1, 1, "x"), Y: Linear(0, 1, 1, "y")})
	}
	var b bytes.Buffer
	if err := s.WriteFields(&b, func(i, x, _ int) float64 {
		if i == 2 && x < 20 {
			return 1
		}
		return 0
	}); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	table, err := colormap("magma")
	if err != nil {
		t.Fatal(err)
	}
	if n, at := painted(img, img.Bounds(), table[255]); n != 20*30 || at.Y < img.Bounds().Dy()/2 || at.X > img.Bounds().Dx()/2 {
		t.Errorf("%d bright pixels around %v of %v; want 600 on the left below", n, at, img.Bounds())
	}
	if n, _ := painted(img, img.Bounds(), table[0]); n != 3*40*30-600 {
		t.Errorf("%d dark pixels, want %d", n, 3*40*30-600)
	}
}

func TestSheetRefuses(t *testing.T) {
	plots := []Plot{{Width: 4, Height: 4}, {Width: 4, Height: 5}}
	for want, s := range map[string]Sheet{
		"without plots":  {Columns: 1},
		"one size":       {Columns: 1, Plots: plots},
		"at most":        {Columns: 1, Plots: []Plot{{Width: maxSide, Height: 4}}},
		"colormap \"x\"": {Columns: 1, Plots: plots[:1], Colormap: "x"},
	} {
		if err := s.WriteFields(&bytes.Buffer{}, func(int, int, int) float64 { return 0 }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
