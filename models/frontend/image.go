package frontend

import (
	"math"

	"wavemill/audio"
	"wavemill/audio/stereo"
)

// place measures where x and its round trip y are, and returns them in one channel, for measures that know one.
func (t *trip) place(x, y []float32, channels, rate int) (before, after []float32, err error) {
	if channels != 2 {
		return x, y, nil
	}
	a, b := audio.Clip{Samples: x, Channels: 2, Rate: rate}, audio.Clip{Samples: y, Channels: 2, Rate: rate}
	if stereo.Differs(a) {
		was, is := stereo.PlaceOf(a), stereo.PlaceOf(b)
		t.was, t.is = &was, &is
	}
	one, err := stereo.Downmix(a)
	if err != nil {
		return nil, nil, err
	}
	other, err := stereo.Downmix(b)
	return one.Samples, other.Samples, err
}

// imageOf summarises what became of pan and width.
func imageOf(trips []trip) *Image {
	var pan, width [3][]float64 // before, after, error
	for _, t := range trips {
		if t.was == nil {
			continue
		}
		for i, p := range []stereo.Place{*t.was, *t.is, {Pan: math.Abs(t.is.Pan - t.was.Pan), Width: math.Abs(t.is.Width - t.was.Width)}} {
			pan[i], width[i] = append(pan[i], p.Pan), append(width[i], p.Width)
		}
	}
	if len(pan[0]) == 0 {
		return nil
	}
	const most = 0.9
	return &Image{
		Clips: len(pan[0]), Pan: percentile(pan[2], 0.5), PanMost: percentile(pan[2], most), Width: percentile(width[2], 0.5), WidthMost: percentile(width[2], most),
		Before: stereo.Place{Pan: percentile(pan[0], 0.5), Width: percentile(width[0], 0.5)},
		After:  stereo.Place{Pan: percentile(pan[1], 0.5), Width: percentile(width[1], 0.5)},
	}
}
