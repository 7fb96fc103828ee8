package benchmark

import (
	"fmt"
	"strings"

	"wavemill/models/eval"
)

// Means are the figures of one architecture, or of a reference, over its runs.
type Means struct {
	Model         string     `json:"model"`
	Runs          int        `json:"runs"`
	LabelAccuracy Estimate   `json:"label_accuracy"`
	Inception     Estimate   `json:"inception_ratio"`
	Frechet       Estimate   `json:"frechet_ratio"`
	FrechetLimit  Estimate   `json:"frechet_limit"`
	Kernel        Estimate   `json:"kernel_distance"`
	AudioKernel   Estimate   `json:"kernel_audio_distance"`
	Useful        Estimate   `json:"trained_on_synthetic_ratio"`
	Known         Estimate   `json:"known_groups"`   // accuracy of classifiers trained on the clips, on groups that the model has seen
	Unknown       Estimate   `json:"unknown_groups"` // and on groups that it has not
	RealKnown     Estimate   `json:"real_known_groups"`
	RealUnknown   Estimate   `json:"real_unknown_groups"` // the same of classifiers trained on recordings
	Diversity     Estimate   `json:"diversity_ratio"`
	NDB           Estimate   `json:"ndb"`
	TwoSample     Estimate   `json:"two_sample"` // of both halves
	Newness       Estimate   `json:"memorisation"`
	Alarms        int        `json:"memorisation_alarms"`
	Gains         []Estimate `json:"gains"` // in points beyond augmentation, by share of the real clips
	// GainsOver are the same in points over recordings without augmentation.
	GainsOver []Estimate `json:"gains_over_alone,omitempty"`
	// Accuracies beside these gains: of recordings alone, with augmentation, and with augmentation and clips.
	GainsAlone     []Estimate `json:"gains_alone,omitempty"`
	GainsAugmented []Estimate `json:"gains_augmented,omitempty"`
	GainsWithClips []Estimate `json:"gains_with_clips,omitempty"`
	Few            Estimate   `json:"few_gain"`
	FewOver        Estimate   `json:"few_over_alone"`
	FewAlone       Estimate   `json:"few_alone"`
	FewBefore      Estimate   `json:"few_before"`
	FewAfter       Estimate   `json:"few_after"`
	PerClip        Estimate   `json:"ms_per_clip"`
	Steps          float64    `json:"steps"`
	// Sounds are what an ear minds by label: means over the runs of their medians.
	Sounds []eval.Sound `json:"sounds,omitempty"`
}

// Short names for the tables of figures.
const (
	unranked = eval.Unranked
	high     = eval.High
	low      = eval.Low
	half     = eval.Half
	one      = eval.One
)

// A figure is a line of the table.
type figure struct {
	name   string // in the table
	key    string // in JSON
	digits int
	better eval.Direction
	share  bool // between 0 and 1
	of     func(Run) (sample, bool)
	in     func(*Means) *Estimate
}

// isGain reports whether the figure is a gain by generated clips, on which there is a verdict.
func (f figure) isGain() bool {
	return f.key == "few_gain" || strings.HasPrefix(f.key, eval.FigureGains)
}

// rowFigure takes a figure of eval.Row, which may not have been measured.
func rowFigure(key string, value func(eval.Row) float64) func(Run) (sample, bool) {
	return func(r Run) (sample, bool) {
		if !measured(r.Row, key) {
			return sample{}, false
		}
		s := sample{value: value(r.Row)}
		if i, ok := r.Row.Interval(key); ok {
			s.interval = &i
		}
		return s, true
	}
}

// intervalFigure is rowFigure for a figure that rows have with its interval or not at all: kept results of earlier versions
// lack it.
func intervalFigure(key string, value func(eval.Row) float64) func(Run) (sample, bool) {
	row := rowFigure(key, value)
	return func(r Run) (sample, bool) {
		s, ok := row(r)
		return s, ok && s.interval != nil
	}
}

// measured reports whether a row has a figure: neither it, nor the figure of which it is a part or a ratio, is among those
// that could not be measured.
func measured(r eval.Row, key string) bool {
	whole, _, _ := strings.Cut(key, ".")
	for _, name := range []string{key, whole, strings.TrimSuffix(key, "_ratio")} {
		if _, missing := r.NotMeasured[name]; missing {
			return false
		}
	}
	return true
}

// groupFigure takes an accuracy on known or unknown groups.
func groupFigure(key string, unknown bool, value func(*eval.GroupFigures) *float64) func(Run) (sample, bool) {
	return func(r Run) (sample, bool) {
		if r.Row.Usefulness == nil || r.Row.Usefulness.Groups == nil {
			return sample{}, false
		}
		g := r.Row.Usefulness.Groups.Known
		if unknown {
			g = r.Row.Usefulness.Groups.Unknown
		}
		if g == nil || value(g) == nil {
			return sample{}, false
		}
		s := sample{value: *value(g)}
		if i, ok := g.Intervals[key]; ok {
			s.interval = &i
		}
		return s, true
	}
}

// usefulFigure is rowFigure for runs whose usefulness was measured.
func usefulFigure(key string, value func(*eval.Usefulness) float64) func(Run) (sample, bool) {
	row := rowFigure(key, func(r eval.Row) float64 { return value(r.Usefulness) })
	return func(r Run) (sample, bool) {
		if r.Row.Usefulness == nil {
			return sample{}, false
		}
		return row(r)
	}
}

// A gainPart is a figure of a gain.
type gainPart struct {
	name  string // in the table
	key   string // of its interval
	scale float64
	of    func(eval.Gain) float64
	in    func(*Means) *[]Estimate
}

// gainParts are the lines of one share: the accuracies that the gain comes from, and the gain.
func gainParts() []gainPart {
	return []gainPart{
		{"%s of the recordings alone: accuracy, %%", "recordings_alone", 100, func(g eval.Gain) float64 { return g.Alone }, func(m *Means) *[]Estimate { return &m.GainsAlone }},
		{"… with tuned augmentation", "real_only", 100, func(g eval.Gain) float64 { return g.Before }, func(m *Means) *[]Estimate { return &m.GainsAugmented }},
		{"… with tuned augmentation and clips", "with_synthetic", 100, func(g eval.Gain) float64 { return g.After }, func(m *Means) *[]Estimate { return &m.GainsWithClips }},
		{"points gained by clips beside %s of the recordings, beyond augmentation", "gain_points", 1, func(g eval.Gain) float64 { return g.Points }, func(m *Means) *[]Estimate { return &m.Gains }},
		{"… over recordings without augmentation", "over_alone_points", 1, func(g eval.Gain) float64 { return g.OverAlone }, func(m *Means) *[]Estimate { return &m.GainsOver }},
	}
}

// verdict is the verdict on a gain, by it and by that over recordings without augmentation, where that was measured.
func (m *Means) verdict(gain *Estimate) string {
	over := &m.FewOver
	for i := range m.Gains {
		if gain == &m.Gains[i] {
			over = &Estimate{}
			if i < len(m.GainsOver) {
				over = &m.GainsOver[i]
			}
		}
	}
	gains := []eval.Interval{{*gain.Low, *gain.High}}
	if over.Low != nil {
		gains = append(gains, eval.Interval{*over.Low, *over.High})
	}
	return eval.VerdictOn(gains...)
}

// figure is the part for the share with that index.
func (p gainPart) figure(index int, share float64) figure {
	name := p.name
	if strings.Contains(name, "%s") {
		name = fmt.Sprintf(name, fmt.Sprintf("%g %%", 100*share))
	}
	f := figure{name: name, key: fmt.Sprintf("%s.%g", p.key, share), digits: 1, better: unranked}
	if p.key == "gain_points" {
		f.key, f.better = eval.FigureGain(share), high
	}
	f.of = func(r Run) (sample, bool) {
		if r.Row.Usefulness == nil || index >= len(r.Row.Usefulness.Added) {
			return sample{}, false
		}
		return p.sample(r.Row.Usefulness.Added[index])
	}
	f.in = func(m *Means) *Estimate {
		of := *p.in(m)
		if index >= len(of) {
			return &Estimate{}
		}
		return &of[index]
	}
	return f
}

// sample takes the part of one gain. A gain without an interval of the part does not have it.
func (p gainPart) sample(g eval.Gain) (sample, bool) {
	i, ok := g.Intervals[p.key]
	if !ok {
		return sample{}, false
	}
	return sample{value: p.scale * p.of(g), interval: &eval.Interval{p.scale * i[0], p.scale * i[1]}}, true
}

// ofFew takes a figure of the training on few recordings.
func ofFew(key string, value func(eval.Gain) float64, scale float64) func(Run) (sample, bool) {
	return func(r Run) (sample, bool) {
		if r.Few == nil {
			return sample{}, false
		}
		s := sample{value: scale * value(*r.Few)}
		if i, ok := r.Few.Intervals[key]; ok {
			s.interval = &eval.Interval{scale * i[0], scale * i[1]}
		}
		return s, true
	}
}

// ofFewMeasured takes a difference in points that results of earlier versions lack.
func ofFewMeasured(key string, value func(eval.Gain) float64) func(Run) (sample, bool) {
	few := ofFew(key, value, 1)
	return func(r Run) (sample, bool) {
		s, ok := few(r)
		return s, ok && s.interval != nil
	}
}

// onClips and onReal are accuracies of classifiers trained on generated clips and on recordings.
func onClips(g *eval.GroupFigures) *float64 { return g.Alone }
func onReal(g *eval.GroupFigures) *float64  { return g.Real }

// plainFigures are the lines of the table that every benchmark has, but those of gains.
func plainFigures() []figure {
	return []figure{
		{"label accuracy", "label_accuracy", 3, high, true, rowFigure("label_accuracy", func(r eval.Row) float64 { return r.LabelAccuracy }), func(m *Means) *Estimate { return &m.LabelAccuracy }},
		{"IS / IS of real", "inception_ratio", 3, high, false, rowFigure("inception_ratio", func(r eval.Row) float64 { return r.InceptionRatio }), func(m *Means) *Estimate { return &m.Inception }},
		{"Fréchet / that of held-out real", "frechet_ratio", 2, low, false, rowFigure("frechet_ratio", func(r eval.Row) float64 { return r.FrechetRatio }), func(m *Means) *Estimate { return &m.Frechet }},
		{"Fréchet, unbiased", "frechet_limit", 2, low, false, intervalFigure("frechet_limit", func(r eval.Row) float64 { return r.FrechetLimit }), func(m *Means) *Estimate { return &m.FrechetLimit }},
		{"kernel distance (KID)", "kernel_distance", 4, low, false, intervalFigure("kernel_distance", func(r eval.Row) float64 { return r.Kernel }), func(m *Means) *Estimate { return &m.Kernel }},
		{"kernel audio distance (KAD)", "kernel_audio_distance", 2, low, false, intervalFigure("kernel_audio_distance", func(r eval.Row) float64 { return r.AudioKernel }), func(m *Means) *Estimate { return &m.AudioKernel }},
		{"trained on synthetic, tested on real / trained on real", "trained_on_synthetic_ratio", 3, high, false, usefulFigure(eval.FigureRatio, func(u *eval.Usefulness) float64 { return u.Ratio }), func(m *Means) *Estimate { return &m.Useful }},
		{"known groups: trained on synthetic, tested on real", "known_groups", 3, high, true, groupFigure("trained_on_synthetic", false, onClips), func(m *Means) *Estimate { return &m.Known }},
		{"known groups: trained on real", "real_known_groups", 3, unranked, true, groupFigure("trained_on_real", false, onReal), func(m *Means) *Estimate { return &m.RealKnown }},
		{"unknown groups: trained on synthetic, tested on real", "unknown_groups", 3, high, true, groupFigure("trained_on_synthetic", true, onClips), func(m *Means) *Estimate { return &m.Unknown }},
		{"unknown groups: trained on real", "real_unknown_groups", 3, unranked, true, groupFigure("trained_on_real", true, onReal), func(m *Means) *Estimate { return &m.RealUnknown }},
		{"memorisation alarm", "memorisation", 2, unranked, false, rowFigure("memorisation.spectrogram", func(r eval.Row) float64 { return r.Memorisation.Spectrogram }), func(m *Means) *Estimate { return &m.Newness }},
		{"diversity / that of real", "diversity_ratio", 2, one, false, rowFigure("diversity_ratio", func(r eval.Row) float64 { return r.DiversityRatio }), func(m *Means) *Estimate { return &m.Diversity }},
		{"NDB", "ndb", 2, low, true, rowFigure("ndb", func(r eval.Row) float64 { return r.NDB }), func(m *Means) *Estimate { return &m.NDB }},
		{"1-NN", "two_sample", 2, half, true, rowFigure("two_sample", func(r eval.Row) float64 { return (r.TwoSample.Real + r.TwoSample.Generated) / 2 }), func(m *Means) *Estimate { return &m.TwoSample }},
		{"points gained with few recordings", "few_gain", 1, high, false, ofFew("gain_points", func(g eval.Gain) float64 { return g.Points }, 1), func(m *Means) *Estimate { return &m.Few }},
		{"… over recordings without augmentation", "few_over_alone", 1, unranked, false, ofFewMeasured("over_alone_points", func(g eval.Gain) float64 { return g.OverAlone }), func(m *Means) *Estimate { return &m.FewOver }},
		{"… recordings alone: accuracy, %", "few_alone", 1, unranked, false, ofFew("recordings_alone", func(g eval.Gain) float64 { return g.Alone }, 100), func(m *Means) *Estimate { return &m.FewAlone }},
		{"… with tuned augmentation", "few_before", 1, unranked, false, ofFew("real_only", func(g eval.Gain) float64 { return g.Before }, 100), func(m *Means) *Estimate { return &m.FewBefore }},
		{"… with tuned augmentation and clips", "few_after", 1, unranked, false, ofFew("with_synthetic", func(g eval.Gain) float64 { return g.After }, 100), func(m *Means) *Estimate { return &m.FewAfter }},
		{"ms a clip, many at once", "ms_per_clip", 2, unranked, false, perClip, func(m *Means) *Estimate { return &m.PerClip }},
	}
}

func perClip(r Run) (sample, bool) {
	if r.Row.Training == nil {
		return sample{}, false
	}
	return sample{value: r.Row.Training.PerClip}, true
}

// figures are the lines of the table: those of plainFigures, with the gains in their place.
func (r Result) figures() []figure {
	var out []figure
	for _, f := range plainFigures() {
		if f.key == "few_gain" {
			for i, share := range gainShares(r.Models) {
				for _, p := range gainParts() {
					out = append(out, p.figure(i, share))
				}
			}
			f.name = fmt.Sprintf("points gained by clips of a model that learnt from %g %% of the recordings, beyond augmentation of those", 100*r.FewShare)
		}
		out = append(out, f)
	}
	return out
}

// means returns the means of the runs of one model.
func means(name string, runs []Run) Means {
	m := Means{Model: name, Runs: len(runs)}
	for _, f := range plainFigures() {
		*f.in(&m) = f.estimate(runs)
	}
	for i, share := range gainShares(runs) {
		for _, p := range gainParts() {
			*p.in(&m) = append(*p.in(&m), p.figure(i, share).estimate(runs))
		}
	}
	m.Sounds = meanSounds(runs)
	for _, r := range runs {
		if r.Row.Memorisation.Alarm {
			m.Alarms++
		}
		if r.Row.Training != nil {
			m.Steps += float64(r.Row.Training.Steps) / float64(len(runs))
		}
	}
	return m
}

func (f figure) estimate(runs []Run) Estimate {
	var samples []sample
	for _, r := range runs {
		if s, ok := f.of(r); ok {
			samples = append(samples, s)
		}
	}
	e := estimate(samples)
	if f.share {
		e = e.clamp()
	}
	return e
}

// gainShares are the shares of recordings that clips were added to.
func gainShares(runs []Run) []float64 {
	for _, r := range runs {
		if u := r.Row.Usefulness; u != nil {
			shares := make([]float64, len(u.Added))
			for i, g := range u.Added {
				shares[i] = g.Share
			}
			return shares
		}
	}
	return nil
}
