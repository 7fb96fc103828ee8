package monitor

import (
	"fmt"
	"math"

	"wavemill/audio/spectrogram"
	"wavemill/audio/timbre"
)

// Kinds of warnings about what an ear minds.
const (
	KindPitch       = "pitch"
	KindFlutter     = "flutter"
	KindHopLine     = "hop-line"
	KindWarble      = "warble"
	KindAttack      = "attack"
	KindTail        = "tail"
	KindLevel       = "level"
	KindPersistence = "persistence"
)

// faults of models with a front end are the differences that are warned of, with limits well above what is heard side by side: half a semitone, the
// deviation in level of one and of many partials, half or twice the length.
func faults(c spectrogram.Config) []fault {
	never := math.Inf(1)
	// Resolutions are flags of the mel scale: with one of them, one-shots would lose their own front end.
	low, bins, hop, window := "more bins for low frequencies (--mel-formula knee)", fmt.Sprintf("more bins (--mels %d) or a longer --n-fft", 2*c.Mono().Bins()), "a shorter --hop", "a longer --n-fft, whose frames overlap more"
	if c.MelFormula == spectrogram.FormulaKnee {
		low = fmt.Sprintf("more bins (--mels %d)", 2*c.Mono().Bins())
	}
	if c.Scale == spectrogram.ScaleOneShot {
		larger := "a larger model (more channels)"
		low, bins, hop, window = larger, larger, larger, larger
	}
	return []fault{
		{
			KindPitch, func(m timbre.Measures) float64 { return 12 * math.Log2(m.Pitch) }, -0.6, 0.6,
			func(made, recorded float64) string {
				direction := "low"
				if made > recorded {
					direction = "high"
				}
				return fmt.Sprintf("comes out %.1f semitones %s (%.0f Hz, recordings %.0f Hz)", math.Abs(made-recorded), direction, math.Exp2(made/12), math.Exp2(recorded/12))
			},
			"train longer; " + low,
		},
		{
			KindFlutter, func(m timbre.Measures) float64 { return m.Flutter }, -never, 1,
			decibels("flutters by %.1f dB, recordings by %.1f dB"),
			"train longer; for a vae, a lower kl_weight; " + window,
		},
		{
			KindHopLine, func(m timbre.Measures) float64 { return m.Line }, -never, 6,
			decibels("buzzes at the hop rate: %.1f dB over its neighbourhood, recordings %.1f dB"),
			"train longer; " + hop,
		},
		{
			KindWarble, func(m timbre.Measures) float64 { return m.Warble }, -never, 1,
			decibels("warbles by %.1f dB below 200 Hz, recordings by %.1f dB"),
			"train longer; " + low,
		},
		{
			KindAttack, func(m timbre.Measures) float64 { return math.Log2(m.Attack + 2) }, -never, 1,
			func(made, recorded float64) string {
				return fmt.Sprintf("takes %.0f ms to rise, recordings %.0f ms", math.Exp2(made)-2, math.Exp2(recorded)-2)
			},
			"train longer; " + hop,
		},
		{
			KindTail, func(m timbre.Measures) float64 { return math.Log2(m.Tail) }, -0.8, 0.8,
			func(made, recorded float64) string {
				return fmt.Sprintf("lasts %.2f s, recordings %.2f s", math.Exp2(made), math.Exp2(recorded))
			},
			"train longer; look whether the label's recordings differ much in length (wavemill inspect); a larger model (more channels)",
		},
		{
			KindLevel, func(m timbre.Measures) float64 { return m.Peak }, -6, 6,
			decibels("peaks at %.1f dB, recordings at %.1f dB"),
			"train longer; bring the recordings to one level",
		},
		{
			KindPersistence, func(m timbre.Measures) float64 { return m.Persistence }, -0.2, never,
			func(made, recorded float64) string {
				return fmt.Sprintf("hisses where recordings ring: the fine structure persists by %.2f, that of recordings by %.2f", made, recorded)
			},
			"train longer; " + bins,
		},
	}
}

func decibels(format string) func(made, recorded float64) string {
	return func(made, recorded float64) string { return fmt.Sprintf(format, made, recorded) }
}
