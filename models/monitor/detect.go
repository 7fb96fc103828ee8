package monitor

import (
	"fmt"
	"math"

	"wavemill/internal/text"
	"wavemill/models"
	"wavemill/models/eval/metric"
)

// Kinds of warnings.
const (
	KindSilence       = "silence"
	KindTone          = "tone"
	KindNoise         = "noise"
	KindCollapse      = "collapse"
	KindMemorisation  = "memorisation"
	KindDiscriminator = "discriminator"
	KindRecordings    = "recordings"
)

// Shares of previews from which on there is a warning.
const (
	manyOfAll   = 0.25
	mostOfLabel = 0.5
)

// clipShapes describe clips for the detectors of silence, tones and noise.
type clipShapes struct {
	clips  []clipShape
	labels []int
}

func (w *Monitor) clipShapes(b models.Batch) clipShapes {
	h := clipShapes{labels: b.Labels}
	for i := range b.B {
		h.clips = append(h.clips, clipShapeOf(w.sound.config, b.Clip(i), b.F))
	}
	return h
}

// count finds the share of previews for which bad holds, of all and of each label.
func (w *Monitor) count(h clipShapes, bad func(clipShape) bool) (of string, found bool) {
	all, counts, sizes := 0, make([]int, len(w.labels)), make([]int, len(w.labels))
	for i, l := range h.labels {
		sizes[l]++
		if bad(h.clips[i]) {
			all++
			counts[l]++
		}
	}
	var labels []string
	for l, n := range counts {
		if sizes[l] > 0 && float64(n) >= mostOfLabel*float64(sizes[l]) && n >= 2 {
			labels = append(labels, w.labels[l])
		}
	}
	switch {
	case float64(all) >= manyOfAll*float64(len(h.labels)):
		return fmt.Sprintf("%d of %d previews", all, len(h.labels)), true
	case labels != nil:
		return "most previews of " + text.Abridge(labels, mostNamed), true
	}
	return "", false
}

// mostNamed is how many labels a warning names at most.
const mostNamed = 5

func (w *Monitor) silence(h clipShapes) (models.Warning, bool) {
	of, found := w.count(h, func(t clipShape) bool { return t.level < w.sound.quiet })
	return models.Warning{
		Kind: KindSilence, Finding: of + " are silent: their loudest value is below the level half-way between the quietest recordings and the floor",
		Advice: "train longer; look for silent or very quiet recordings in the data (wavemill inspect)",
	}, found
}

func (w *Monitor) tone(h clipShapes) (models.Warning, bool) {
	of, found := w.count(h, func(t clipShape) bool { return t.tone > w.sound.tone && t.level >= w.sound.quiet })
	return models.Warning{
		Kind: KindTone, Finding: fmt.Sprintf("%s are one steady tone: more than %.0f %% of their power is in one bin all the time", of, 100*w.sound.tone),
		Advice: "train longer; halve the learning rate; look for hum in the recordings",
	}, found
}

func (w *Monitor) noise(h clipShapes) (models.Warning, bool) {
	of, found := w.count(h, func(t clipShape) bool { return t.flat > w.sound.flat && t.level >= w.sound.quiet })
	return models.Warning{
		Kind: KindNoise, Finding: fmt.Sprintf("%s are noise: their spectral flatness is above %.2f", of, w.sound.flat),
		Advice: "train longer; a vae learns sounds sooner than a gan; for a gan, halve generator_rate and discriminator_rate",
	}, found
}

// equalRecordings is the warning where all recordings are equal.
func equalRecordings() (models.Warning, bool) {
	return models.Warning{
		Kind: KindRecordings, Finding: "all recordings have the same spectrogram, so that diversity, collapse and memorisation cannot be measured",
		Advice: "look at the recordings (wavemill inspect): a constant signal, or copies of one recording, hold nothing to learn",
	}, true
}

func (w *Monitor) collapse(v variety) (models.Warning, bool) {
	var labels []string
	for l, d := range v.byLabel {
		if !math.IsNaN(d) && d < metric.CollapseLimit {
			labels = append(labels, w.labels[l])
		}
	}
	saw := fmt.Sprintf("clips of a label differ by %.2f of what recordings do", v.mean)
	if v.mean >= metric.CollapseLimit {
		saw = "nearly one and the same clip for " + text.Abridge(labels, mostNamed)
	}
	return models.Warning{
		Kind: KindCollapse, Finding: saw,
		Advice: "for a gan, a lower discriminator_rate or a larger minibatch_stddev, or the vaegan instead; for a vae, a lower kl_weight or a higher temperature; more recordings of these labels",
	}, v.known && (v.mean < metric.CollapseLimit || labels != nil)
}

func (w *Monitor) memorisation(nearest float64) (models.Warning, bool) {
	return models.Warning{
		Kind: KindMemorisation,
		Finding: fmt.Sprintf("a twentieth of the previews is nearer than %.2f times the usual distance to a training recording; of recordings it is %.2f",
			nearest, w.real.ordinary),
		Advice: "more recordings, a smaller model (fewer channels), less training, or a prior other than kde",
	}, nearest < metric.CopyLimit(w.real.ordinary)
}

// A discriminator separates recordings and clips completely where its loss is almost 0 and its scores lie apart. A generator
// learns nothing from it then.
const (
	saturatedLoss   = 0.1
	separatedScores = 2.0
)

// discriminator looks at a GAN's own figures; others have none.
func discriminator(metrics map[string]float64) (models.Warning, bool) {
	loss, is := metrics["train/discriminator"]
	real, fake := metrics["train/real score"], metrics["train/fake score"]
	return models.Warning{
		Kind:    KindDiscriminator,
		Finding: fmt.Sprintf("the discriminator separates recordings and clips completely: loss %.2g, mean scores %.2g for recordings and %.2g for clips", loss, real, fake),
		Advice:  "a lower discriminator_rate or a higher generator_rate; fewer critic_steps; more augment",
	}, is && loss < saturatedLoss && real-fake > separatedScores && loss > -separatedScores
}
