package pseudolabel

import (
	"fmt"
	"math"

	"wavemill/audio"
	"wavemill/audio/spectrogram"
	"wavemill/models/frontend"
)

// What clips are compared by.
const (
	frames   = 32 // that every clip is brought to
	cepstra  = 13
	width    = 2 * cepstra // of a frame: cepstra and their slopes
	mels     = 40
	floor    = 1e-6 // of the loudest value of a clip, added before the logarithm
	trimDB   = -40  // silence at either end, below the peak
	mostRate = 16000
)

// An analyser computes the features of clips, all at one rate. It is not safe for concurrent use.
type analyser struct {
	rate       int
	resamplers *audio.Resamplers
	transform  *spectrogram.Transform
	power      *spectrogram.Spectrogram
	cosine     [cepstra][mels]float64 // the type-II cosine transform
}

// newAnalyser returns an analyser for clips of the given least rate: frames of 32 ms, one every 10 ms.
func newAnalyser(rate int, resamplers *audio.Resamplers) (*analyser, error) {
	rate = min(rate, mostRate)
	size := 64
	for float64(size)*math.Sqrt2 < 0.032*float64(rate) {
		size *= 2
	}
	t, err := spectrogram.New(spectrogram.Config{
		SampleRate: rate, NFFT: size, Hop: min(max(rate/100, 1), size/2), Window: spectrogram.WindowHann,
		Scale: spectrogram.ScaleMel, Mels: min(mels, size), FMin: min(60, float64(rate)/8), FMax: float64(rate) / 2, Value: spectrogram.ValuePower,
	})
	if err != nil {
		return nil, fmt.Errorf("pseudolabel: recordings of %d Hz cannot be compared: %w", rate, err)
	}
	a := &analyser{rate: rate, resamplers: resamplers, transform: t}
	for k := range a.cosine {
		for m := range a.cosine[k] {
			a.cosine[k][m] = math.Cos(math.Pi * float64(k) * (float64(m) + 0.5) / mels)
		}
	}
	return a, nil
}

// features writes the features of a clip to dst [frames, width]: each column has mean 0 and deviation 1 over the frames.
func (a *analyser) features(dst []float32, c audio.Clip) error {
	if err := frontend.Usable(c); err != nil {
		return err
	}
	c, _ = c.MixedDown()
	c, err := a.resamplers.Resample(c, a.rate)
	if err != nil {
		return err
	}
	if a.power, err = a.transform.Forward(a.power, audio.TrimSilence(c, trimDB).Samples); err != nil {
		return err
	}
	of := a.cepstra()
	for t := range frames {
		at := float64(t) * float64(len(of)-1) / (frames - 1)
		lo := int(at)
		hi, part := min(lo+1, len(of)-1), at-float64(lo)
		for k := range cepstra {
			dst[t*width+k] = float32(of[lo][k] + part*(of[hi][k]-of[lo][k]))
		}
	}
	slopes(dst)
	standardise(dst)
	return nil
}

// cepstra returns those of the frames of a.power.
func (a *analyser) cepstra() [][cepstra]float64 {
	n, bins := a.power.Frames, a.power.Bins
	var loudest float32
	for _, v := range a.power.Data {
		loudest = max(loudest, v)
	}
	out := make([][cepstra]float64, n)
	for t := range out {
		for m := range bins {
			v := math.Log(float64(a.power.Data[t*bins+m]) + floor*float64(loudest) + math.SmallestNonzeroFloat32)
			for k := range cepstra {
				out[t][k] += v * a.cosine[k][m]
			}
		}
	}
	return halved(out)
}

// halved joins neighbouring frames of long clips, until there are few enough to be brought to frames by interpolation.
func halved(x [][cepstra]float64) [][cepstra]float64 {
	for len(x) > 4*frames {
		half := make([][cepstra]float64, len(x)/2)
		for t := range half {
			for k := range cepstra {
				half[t][k] = (x[2*t][k] + x[2*t+1][k]) / 2
			}
		}
		x = half
	}
	return x
}

// slopes fills the second half of every frame with the differences between the frames before and after.
func slopes(x []float32) {
	for t := range frames {
		before, after := max(t-1, 0), min(t+1, frames-1)
		for k := range cepstra {
			x[t*width+cepstra+k] = (x[after*width+k] - x[before*width+k]) / float32(after-before)
		}
	}
}

// standardise brings every column to mean 0 and deviation 1; a constant one becomes 0.
func standardise(x []float32) {
	for k := range width {
		var sum, square float64
		for t := range frames {
			sum += float64(x[t*width+k])
		}
		mean := sum / frames
		for t := range frames {
			d := float64(x[t*width+k]) - mean
			square += d * d
		}
		scale := 1 / (math.Sqrt(square/frames) + 1e-3)
		for t := range frames {
			x[t*width+k] = float32((float64(x[t*width+k]) - mean) * scale)
		}
	}
}
