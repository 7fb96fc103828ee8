package eval_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/models/eval"
)

// decays are n tones of a label that fall by 60 dB in t60 seconds.
func decays(label string, n int, hz, t60 float64) []audio.Clip {
	out := make([]audio.Clip, n)
	for i := range out {
		x := make([]float32, 16000)
		for k := range x {
			t := float64(k) / 16000
			x[k] = float32(0.5 * math.Pow(10, -3*t/t60) * math.Cos(2*math.Pi*hz*t))
		}
		out[i] = audio.Clip{Samples: x, Channels: 1, Rate: 16000, Label: label}
	}
	return out
}

func TestSounds(t *testing.T) {
	recordings := append(decays("kick", 50, 60, 0.8), decays("hat", 2, 5000, 0.2)...)
	flat := append(decays("kick", 50, 60*math.Pow(2, -1.0/12), 0.4), decays("hat", 2, 5000, 0.2)...)
	for _, roundTrip := range []bool{true, false} {
		got := eval.Sounds(recordings, flat, 125, roundTrip)
		if len(got) != 2 || got[1].Label != "kick" || got[1].ReferenceClips != 40 || got[1].OtherClips != 40 || got[0].OtherClips != 2 {
			t.Fatalf("%+v", got)
		}
		kick := got[1]
		if r := kick.Ratio(); math.Abs(1200*math.Log2(r.Pitch)+100) > 3 || math.Abs(r.Tail-0.5) > 0.02 {
			t.Errorf("kicks a semitone low and half as long compare as %+v", r)
		}
		if (kick.RoundTrips != nil) != roundTrip {
			t.Fatalf("round trip %v: pairs %+v", roundTrip, kick.RoundTrips)
		}
		if roundTrip && (math.Abs(kick.RoundTrips.Cents+100) > 3 || kick.RoundTrips.OffPitch != 1 || got[0].RoundTrips.Pitched != 0) {
			t.Errorf("pairs of kicks %+v, of hats %+v", kick.RoundTrips, got[0].RoundTrips)
		}
		b, err := json.Marshal(eval.Row{Sounds: got})
		if err != nil || !strings.Contains(string(b), `"sounds":[{"label":"hat","reference_clips":2`) {
			t.Errorf("%v: %s", err, b)
		}
	}
	if got := eval.Sounds(recordings, decays("tom", 3, 100, 0.3), 125, false); len(got) != 0 {
		t.Errorf("labels without recordings are compared: %+v", got)
	}
}

// Beside clips of two channels those of one are in the middle: three of four recordings are, and so are their medians.
func TestSoundsOfOneAndTwoChannels(t *testing.T) {
	recordings := decays("kick", 4, 60, 0.8)
	left := audio.Clip{Channels: 2, Rate: 16000, Label: "kick"}
	for _, v := range recordings[0].Samples {
		left.Samples = append(left.Samples, v, 0)
	}
	recordings[0] = left
	clips := decays("kick", 3, 60, 0.8)
	for i, c := range clips {
		clips[i] = audio.Clip{Channels: 2, Rate: c.Rate, Label: c.Label}
		for _, v := range c.Samples {
			clips[i].Samples = append(clips[i].Samples, v, v)
		}
	}
	got := eval.Sounds(recordings, clips, 125, false)
	if len(got) != 1 || got[0].Reference.Pan != 0 || got[0].Reference.Width != -30 || got[0].Other.Pan != 0 || got[0].Other.Width != -30 {
		t.Errorf("%+v", got)
	}
	if one := eval.Sounds(recordings[1:], decays("kick", 3, 60, 0.8), 125, false); !math.IsNaN(one[0].Reference.Pan) || !math.IsNaN(one[0].Other.Width) {
		t.Errorf("of one channel alone: %+v", one)
	}
}
