package sampling

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"wavemill/audio"
	"wavemill/audio/timbre"
	"wavemill/models"
	"wavemill/models/frontend"
)

const (
	// segmentsDrawn is how many different segments a long clip is made of; a longer one repeats them.
	segmentsDrawn = 24
	// segmentStrength is how much a segment differs from the clip, as the strength of a variation: enough not to be heard
	// as a repetition, and little enough to keep voice and pitch.
	segmentStrength = 0.3
	// mostShift is the greatest ratio of a pitch that is asked for to the clip's own, either way: an octave. Beyond it the
	// sound is another one.
	mostShift = 2
	// pitchWithin is how far, in cents, the pitch of a clip may lie from the one that was asked for.
	pitchWithin = 10
	// cutFade fades the end of a clip that is cut.
	cutFade = 20 * time.Millisecond
	// wrapFade is the cross-fade between the end of a loop and its beginning.
	wrapFade = 50 * time.Millisecond
	// loopGive is how far the length of a loop may lie from the one that is asked for: the period of a tone of 50 Hz.
	loopGive = 20 * time.Millisecond
	// loopMargin is how many frames at each end of a reconstruction are not used: they lack neighbours.
	loopMargin = 4
)

// A shaper makes one clip of a shape.
type shaper struct {
	*Sampler
	p     Provenance
	first []float32 // the network's clip
	width int
	batch models.Batch // holds first
	index int
}

func newShaper(s *Sampler, batch models.Batch, i int, p Provenance) *shaper {
	first := batch.Clip(i)
	return &shaper{Sampler: s, p: p, first: first, width: len(first) / batch.T, batch: batch, index: i}
}

// shaped returns the sound of clip i of a batch, which Sample returned for p, in p's shape, and its pitch in Hz where that
// was measured.
func (s *Sampler) shaped(ctx context.Context, batch models.Batch, i int, p Provenance) (audio.Clip, float64, error) {
	h := newShaper(s, batch, i, p)
	sound, err := s.frontEnd.Synthesize(batch, i, p.Seed)
	if err != nil {
		return audio.Clip{}, 0, err
	}
	ratio := 1.0
	if p.Pitch > 0 {
		if ratio, err = h.ratio(sound); err != nil {
			return audio.Clip{}, 0, err
		}
	}
	own := sound.Duration().Seconds()
	switch need := p.Duration * ratio; {
	case p.Loop:
		return h.loop(ctx, ratio)
	case need > own:
		if sound, err = h.long(ctx, need, own/ratio); err != nil {
			return audio.Clip{}, 0, err
		}
	}
	if sound, err = h.tune(sound); err != nil {
		return audio.Clip{}, 0, err
	}
	sound = fit(sound, p.Duration)
	if p.Pitch == 0 {
		return sound, 0, nil
	}
	hz, err := h.reached(sound)
	return sound, hz, err
}

// unreachable is an ErrUnreachable.
func (h *shaper) unreachable(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrUnreachable, fmt.Errorf(format, args...))
}

// steady returns the pitch of a sound.
func (h *shaper) steady(c audio.Clip) (float64, error) {
	f := timbre.FundamentalOf(c.Mono())
	switch {
	case f.Hz == 0:
		return 0, h.unreachable("the clip has no pitch: no part of it is periodic")
	case !f.Steady():
		return 0, h.unreachable("the clip has no steady pitch: %.0f %% of it is periodic, with %.0f cents between the quartiles", 100*f.Voiced, f.Spread)
	}
	return f.Hz, nil
}

// ratio is that of the pitch which is asked for to the one of a sound.
func (h *shaper) ratio(c audio.Clip) (float64, error) {
	hz, err := h.steady(c)
	if err != nil {
		return 0, err
	}
	ratio := h.p.Pitch / hz
	if ratio > mostShift || ratio < 1.0/mostShift {
		return 0, h.unreachable("the clip has a pitch of %.1f Hz, from which %.1f to %.1f Hz can be reached, not %.1f Hz", hz, hz/mostShift, hz*mostShift, h.p.Pitch)
	}
	return ratio, nil
}

// tune resamples a sound to the pitch that is asked for.
func (h *shaper) tune(c audio.Clip) (audio.Clip, error) {
	if h.p.Pitch == 0 {
		return c, nil
	}
	ratio, err := h.ratio(c)
	if err != nil {
		return c, err
	}
	// Rates whose quotient is the ratio, to a tenth of a cent.
	const steps = 1 << 14
	rate := c.Rate
	from, to := int(math.Round(ratio*steps)), steps
	if from == to {
		return c, nil
	}
	c.Rate = from
	out, err := audio.Resample(c, to)
	out.Rate = rate
	if peak := out.Peak(); peak > 1 { // between the samples
		for i := range out.Samples {
			out.Samples[i] = float32(float64(out.Samples[i]) / peak)
		}
	}
	return out, err
}

// reached returns the pitch of the final sound. It is an error where that is not the one that was asked for.
func (h *shaper) reached(c audio.Clip) (float64, error) {
	hz, err := h.steady(c)
	if err != nil {
		return 0, err
	}
	if off := timbre.Cents(h.p.Pitch, hz); math.Abs(off) > pitchWithin {
		return 0, h.unreachable("the clip reaches %.1f Hz, %.1f cents from the pitch of %.1f Hz", hz, off, h.p.Pitch)
	}
	return hz, nil
}

// tape draws the segments that a sound of so many frames is joined from. longest is the clip's own length, for the error.
func (h *shaper) tape(ctx context.Context, frames int, longest float64) (*tape, error) {
	config := h.frontEnd.Config().Spectrogram
	alone, ok := newTape(config, h.width, [][]float32{h.first})
	if !ok {
		return nil, h.unreachable("the clip is struck or too short: no part of it is held, so that it ends after %.2f s, and has no loop", longest)
	}
	n := min(segmentsDrawn, frames/max(1, alone.stride())+1)
	segments := [][]float32{h.first}
	if n > 1 {
		more, err := h.segments(ctx, n-1)
		if err != nil {
			return nil, err
		}
		segments = append(segments, more...)
	}
	t, _ := newTape(config, h.width, segments)
	return t, nil
}

// segments generates variations of the clip.
func (h *shaper) segments(ctx context.Context, n int) ([][]float32, error) {
	g, err := h.inSteps(h.p.Steps)
	if err != nil {
		return nil, err
	}
	blender, ok := g.(models.Blender)
	if !ok {
		return nil, h.unreachable("a model of architecture %s has no latents to vary", h.Arch)
	}
	p := h.p.reduced()
	ends, err := h.endpoints(blender, []Provenance{p})
	if err != nil {
		return nil, err
	}
	own, a, b, weight := p.latents(ends[0], ends[1])
	center := endpoint{label: a, latent: own, mean: between(ends[0].mean, ends[1].mean, weight)}
	labelsA, labelsB, weights, seeds := make([]int, n), make([]int, n), make([]float64, n), make([]uint64, n)
	for i := range n {
		labelsA[i], labelsB[i], weights[i], seeds[i] = a, b, weight, segmentSeed(p.Seed, i)
	}
	fresh, err := blender.Draw(models.Request{Labels: labelsA, Seeds: seeds, Temperature: p.Temperature})
	if err != nil {
		return nil, err
	}
	width := blender.Latent()
	latents := make([]float32, 0, n*width)
	for i := range n {
		other := endpoint{label: a, latent: fresh[i*width : (i+1)*width], mean: ends[0].mean}
		latents = append(latents, vary(center, other, segmentStrength)...)
	}
	out, err := blender.Blend(ctx, latents, labelsA, labelsB, weights, models.Request{Seeds: seeds, Temperature: p.Temperature})
	if err != nil {
		return nil, err
	}
	segments := make([][]float32, n)
	for i := range segments {
		segments[i] = slices.Clone(out.Clip(i))
	}
	return segments, nil
}

// between is the point at weight w between two vectors.
func between(a, b []float32, w float64) []float32 {
	out := make([]float32, len(a))
	for i := range out {
		out[i] = float32((1-w)*float64(a[i]) + w*float64(b[i]))
	}
	return out
}

// segmentSeed is the seed of a segment. It lies far from those of the clips of a series.
func segmentSeed(seed uint64, i int) uint64 {
	return seed ^ 0x9e3779b97f4a7c15*uint64(i+1)
}

// render turns a spectrogram of any number of frames to sound.
func (h *shaper) render(data []float32) (audio.Clip, error) {
	config := h.frontEnd.Config()
	config.Frames = len(data) / h.width
	fe, err := frontend.New(config)
	if err != nil {
		return audio.Clip{}, err
	}
	batch := h.batch
	batch.B, batch.T, batch.Data, batch.Labels = 1, config.Frames, data, batch.Labels[h.index:h.index+1]
	return fe.Synthesize(batch, 0, h.p.Seed)
}

// long returns a sound of so many seconds. longest is what is possible where the clip cannot be continued.
func (h *shaper) long(ctx context.Context, seconds, longest float64) (audio.Clip, error) {
	config := h.frontEnd.Config().Spectrogram
	frames := config.Frames(int(seconds*float64(config.SampleRate))) + 1
	t, err := h.tape(ctx, frames, longest)
	if err != nil {
		return audio.Clip{}, err
	}
	data, _ := t.long(frames, h.used())
	return h.render(data)
}

// used is the number of frames of the clip that are no padding.
func (h *shaper) used() int {
	config := h.frontEnd.Config().Spectrogram
	levels := make([]float64, len(h.first)/h.width)
	for t := range levels {
		for _, v := range h.first[t*h.width:][:config.Levels()] {
			levels[t] += power(config, v)
		}
	}
	top := slices.Max(levels)
	n := len(levels)
	for n > 1 && levels[n-1] < top*1e-5 {
		n--
	}
	return n
}

// loop returns a sound that can be repeated, and its pitch where one is asked for.
func (h *shaper) loop(ctx context.Context, ratio float64) (audio.Clip, float64, error) {
	config := h.frontEnd.Config().Spectrogram
	rate := float64(config.SampleRate)
	seconds := h.p.Duration * ratio
	t, err := h.tape(ctx, config.Frames(int(seconds*rate)), float64(config.Samples(len(h.first)/h.width))/rate)
	if err != nil {
		return audio.Clip{}, 0, err
	}
	period := t.stride()
	if seconds > 0 {
		period = max(2, int(math.Round(seconds*rate/float64(config.Hop))))
	}
	fade := int(wrapFade.Seconds() * rate)
	more := 3*fade/config.Hop + 3*loopMargin
	data, _ := t.circle(period, more)
	sound, err := h.render(data)
	if err != nil {
		return audio.Clip{}, 0, err
	}
	margin := loopMargin * config.Hop * sound.Channels
	sound.Samples = sound.Samples[min(margin, len(sound.Samples)):]
	length := period * config.Hop
	if h.p.Pitch > 0 {
		before := sound.Frames()
		if sound, err = h.tune(sound); err != nil {
			return audio.Clip{}, 0, err
		}
		length = int(math.Round(float64(length) * float64(sound.Frames()) / float64(before)))
	}
	if h.p.Duration > 0 {
		length = int(math.Round(h.p.Duration * rate))
	}
	sound.Samples, err = wrap(sound.Samples, sound.Channels, length, int(loopGive.Seconds()*rate), fade)
	if err != nil {
		return audio.Clip{}, 0, h.unreachable("%w", err)
	}
	if h.p.Pitch == 0 {
		return sound, pitchOf(sound), nil
	}
	hz, err := h.reached(sound)
	return sound, hz, err
}

// pitchOf is the pitch of a sound, 0 where it has none.
func pitchOf(c audio.Clip) float64 {
	if f := timbre.FundamentalOf(c.Mono()); f.Steady() {
		return f.Hz
	}
	return 0
}
