package signals

import (
	"fmt"
	"math"
	"testing"
)

func ExampleMake() {
	for _, name := range Names() {
		fmt.Println(name, len(Make(name)))
	}
	// Output:
	// chirp-harmonic 44100
	// chirp-linear-down 44100
	// chirp-linear-up 44100
	// chirp-log 44100
	// chirp-vibrato 44100
	// drum-hihat 44100
	// drum-kick 44100
	// drum-loop 44100
	// drum-snare 44100
}

func TestSignalsAreLoudAndDoNotClip(t *testing.T) {
	for _, name := range Names() {
		var peak float64
		for _, v := range Make(name) {
			peak = math.Max(peak, math.Abs(float64(v)))
		}
		if !(peak > 0.3 && peak <= 1) {
			t.Errorf("%s peaks at %g", name, peak)
		}
	}
}
