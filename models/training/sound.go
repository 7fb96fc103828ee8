package training

import (
	"fmt"
	"math"
	"strings"

	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/frontend"
)

// Beyond these, a round trip is heard to differ from a recording.
const (
	mostCents    = 25.0 // median error of the pitch; a trained ear hears 10 to 25
	mostOffPitch = 0.2  // share of pitches that are off by more than 50 cents, of leastTests or more
	leastTones   = 5    // of fewer pitches the median says nothing: of speech, two clips in a hundred have a low tone
	mostAttack   = 3.0  // ms; two clicks are told apart from there on
	mostSlower   = 0.25 // and by which share of the recordings' attack
	mostFlutter  = 1.3  // times that of recordings
	mostTail     = 0.15 // share by which tails are longer or shorter
	mostLevel    = 2.0  // dB
)

// soundLines are the timbre of a round trip for a person: what is not defined for the recordings is left out.
func soundLines(s frontend.Sound) []string {
	var of []string
	add := func(defined float64, format string, args ...any) {
		if !math.IsNaN(defined) {
			of = append(of, fmt.Sprintf(format, args...))
		}
	}
	p := s.Pairs
	add(p.CentsError, "pitch %.0f cents off (%.0f %% of %d by more than 50)", p.CentsError, 100*p.OffPitch, p.Pitched)
	add(p.Attack, "attack %+.1f ms", p.Attack)
	add(s.After.Flutter/s.Before.Flutter, "flutter %.1f dB (recordings %.1f)", s.After.Flutter, s.Before.Flutter)
	add(p.Tail, "tail x %.2f", p.Tail)
	add(p.Level, "level %+.1f dB", p.Level)
	if len(of) == 0 {
		return nil
	}
	return []string{"          sound: " + strings.Join(of, ", ")}
}

// soundWarnings are what an ear would mind, each with what to change.
func soundWarnings(fe models.FrontEnd, s frontend.Sound) []string {
	var w []string
	warn := func(bad bool, format string, args ...any) {
		if bad {
			w = append(w, fmt.Sprintf(format, args...))
		}
	}
	c, p := fe.Spectrogram, s.Pairs
	finer, shorter := fmt.Sprintf("--mels %d", 2*c.Mono().Bins()), fmt.Sprintf("--n-fft %d", c.NFFT/2)
	if c.Scale == spectrogram.ScaleMel && c.MelFormula != spectrogram.FormulaKnee {
		finer = "--mel-formula knee"
	}
	if c.Scale == spectrogram.ScaleOneShot {
		finer, shorter = fmt.Sprintf("--n-fft %d for a mel scale", 2*c.NFFT), fmt.Sprintf("--n-fft %d for a mel scale", c.ShortNFFT)
	}
	warn(p.Pitched >= leastTones && p.CentsError > mostCents || p.Pitched >= leastTests && p.OffPitch > mostOffPitch,
		"low tones come back off pitch: by %.0f cents in the median, and %.0f %% of %d by more than 50. Try %s", p.CentsError, 100*p.OffPitch, p.Pitched, finer)
	warn(p.Attack > max(mostAttack, mostSlower*s.Before.Attack), "attacks are %.1f ms longer after the round trip. Try %s", p.Attack, shorter)
	warn(s.After.Flutter > mostFlutter*s.Before.Flutter, "noise flutters: its level moves by %.1f dB, in recordings by %.1f. Try %s",
		s.After.Flutter, s.Before.Flutter, shorter)
	warn(math.Abs(p.Tail-1) > mostTail, "tails last %.2f times as long as those of the recordings. Try --frames %d", p.Tail, min(2*fe.Frames, 1<<16))
	warn(math.Abs(p.Level) > mostLevel, "peaks are %+.1f dB off the recordings'. Leave --front-end out, so that the range is fitted", p.Level)
	return w
}
