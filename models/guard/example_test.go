package guard_test

import (
	"fmt"

	"wavemill/audio/synth"
	"wavemill/models/guard"
)

// A detector of two labels, and a clip with the wrong one.
func Example() {
	var analyst guard.Analyst
	var recent []guard.Example
	for i := range 40 {
		clip, err := synth.Clip([]string{"bell", "kick"}[i%2], uint64(i), 8000)
		if err != nil {
			fmt.Println(err)
			return
		}
		e, err := analyst.Clip(clip, false)
		if err != nil {
			fmt.Println(err)
			return
		}
		e.ID = uint64(i + 1)
		recent = append(recent, e)
	}
	detector, err := guard.Fit(recent, guard.DefaultLimits())
	if err != nil {
		fmt.Println(err)
		return
	}
	clip, err := synth.Clip("bell", 100, 8000)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, label := range []string{"bell", "kick"} {
		clip.Label = label
		e, err := analyst.Clip(clip, false)
		if err != nil {
			fmt.Println(err)
			return
		}
		v := detector.Of(e)
		fmt.Println(label, v.Refused(), v.Scores.Heard)
	}
	// Output:
	// bell false kick
	// kick true bell
}
