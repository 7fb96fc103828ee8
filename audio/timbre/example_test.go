package timbre_test

import (
	"fmt"
	"math"

	"wavemill/audio/timbre"
)

// A recorded kick and one that came out a semitone low, short and soft.
func Example() {
	kick := func(hz, decay, rise float64) timbre.Measures {
		return timbre.Measure(sound(1, func(t float64) float64 {
			return 0.8 * math.Min(1, t/rise) * math.Pow(10, -3*t/decay) * math.Sin(2*math.Pi*hz*t)
		}), 44100.0/512)
	}
	recorded, generated := kick(55, 0.6, 0.002), kick(51.9, 0.3, 0.012)
	pair := timbre.NewPair(recorded, generated)
	fmt.Printf("pitch %.0f cents, tail %.2f of the recording's\n", pair.Cents, pair.Tail)
	// Output: pitch -100 cents, tail 0.52 of the recording's
}
