package frontend

import (
	"wavemill/audio"
	"wavemill/audio/stereo"
)

// A Tally counts what a front end does to clips.
type Tally struct {
	Clips     int `json:"clips"`
	Cut       int `json:"cut"`                // longer than the model's, by a frame at least
	Padded    int `json:"padded"`             // shorter, by a frame at least
	Trimmed   int `json:"trimmed"`            // silence cut off
	Resampled int `json:"resampled"`          // of another rate
	MixedDown int `json:"mixed_down"`         // of more than one channel
	Inverted  int `json:"inverted,omitempty"` // of these, with one channel inverted, because they cancel
	Stereo    int `json:"stereo,omitempty"`   // of two channels that differ to the ear, mixed down or not
	Two       int `json:"two,omitempty"`      // of two channels
	Middle    int `json:"middle,omitempty"`   // of one channel, in the middle of a front end of two
	Silent    int `json:"silent"`             // without sound: left out
	Unusable  int `json:"unusable"`           // samples that are not numbers: left out
}

// Tally counts what Analyze would do to clips, without doing it.
func (f *FrontEnd) Tally(clips []audio.Clip) Tally {
	t := Tally{Clips: len(clips)}
	config := f.config.Spectrogram
	hop := audio.FramesDuration(int64(config.Hop), config.SampleRate)
	for _, c := range clips {
		switch {
		case c.Validate() != nil:
			t.Unusable++
			continue
		case c.Peak() < silentPeak:
			t.Silent++
			continue
		case !hasSound(c):
			t.Unusable++
			continue
		}
		if c.Channels == 2 {
			t.Two++
		}
		if stereo.Differs(c) {
			t.Stereo++
		}
		if c.Channels == 1 && f.Channels() == 2 {
			t.Middle++
		}
		arranged, from, inverted := f.arrange(c)
		if c = arranged; from > 0 {
			t.MixedDown++
		}
		if inverted {
			t.Inverted++
		}
		if c.Rate != config.SampleRate {
			t.Resampled++
		}
		lo, hi := audio.SilenceBounds(c, f.config.TrimDB)
		if hi-lo < c.Frames() {
			t.Trimmed++
		}
		switch left := audio.FramesDuration(int64(hi-lo), c.Rate) - f.Duration(); {
		case left >= hop:
			t.Cut++
		case left <= -hop:
			t.Padded++
		}
	}
	return t
}
