package picture

import (
	"slices"
	"testing"
)

func TestFontHasEveryCharacter(t *testing.T) {
	if len(glyphs) != '~'-' '+1 {
		t.Fatalf("%d glyphs", len(glyphs))
	}
	seen := make(map[[glyphHeight]byte]rune)
	for r := ' '; r <= '~'; r++ {
		d := dots(r)
		if other, ok := seen[d]; ok {
			t.Errorf("%q and %q look the same", other, r)
		}
		seen[d] = r
		for _, row := range d {
			if row > 0x1f {
				t.Errorf("%q is wider than %d dots", r, glyphWidth)
			}
		}
	}
	if dots('é') != dots('世') {
		t.Error("characters without a glyph differ")
	}
}

func TestLinearTicksAreRound(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		count     int
		want      []string
	}{
		{0, 1, 6, []string{"0", "0.2", "0.4", "0.6", "0.8", "1.0"}},
		{0, 4, 4, []string{"0", "1", "2", "3", "4"}},
		{-80, 0, 4, []string{"-80", "-60", "-40", "-20", "0"}},
		{-0.5, 0.5, 3, []string{"-0.5", "0", "0.5"}},
		{0, 0.004, 4, []string{"0", "0.001", "0.002", "0.003", "0.004"}},
		{0, 3600, 7, []string{"0", "1000", "2000", "3000"}},
		{3, 3, 4, nil},
	} {
		var got []string
		for _, tick := range Linear(c.low, c.high, c.count, "").Ticks {
			got = append(got, tick.Label)
			if tick.At < 0 || tick.At > 1+1e-9 {
				t.Errorf("%g to %g: tick %s at %g", c.low, c.high, tick.Label, tick.At)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%g to %g: ticks %q, want %q", c.low, c.high, got, c.want)
		}
	}
}

func TestClipText(t *testing.T) {
	if s := clipText("abcdef", textWidth("abcdef")); s != "abcdef" {
		t.Errorf("%q", s)
	}
	if s := clipText("abcdef", textWidth("abcde")); s != "abc.." {
		t.Errorf("%q", s)
	}
}

func TestColormaps(t *testing.T) {
	for name, first := range map[string][3]uint8{"": {0, 0, 4}, "magma": {0, 0, 4}, "viridis": {68, 1, 84}} {
		p, err := colormap(name)
		if err != nil {
			t.Fatal(err)
		}
		r, g, b, _ := p[0].RGBA()
		if len(p) != 256 || [3]uint8{uint8(r), uint8(g), uint8(b)} != first {
			t.Errorf("%q: %d colours from %v", name, len(p), p[0])
		}
	}
}
