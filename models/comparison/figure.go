package comparison

import (
	"wavemill/models/eval"
)

// A figure is a line of the table: how it is named, printed and ranked.
type figure struct {
	name    string // in full
	short   string // in the printed table; "" where it is left out there
	key     string // JSON name, by which intervals are found; "" where it has none
	meaning string
	format  string // of one value
	better  eval.Direction
	value   func(eval.Row) (float64, bool) // false: the row does not have it
}

// Short names for the tables of figures.
const (
	unranked = eval.Unranked
	high     = eval.High
	low      = eval.Low
	half     = eval.Half
	one      = eval.One
)

func always(f func(eval.Row) float64) func(eval.Row) (float64, bool) {
	return func(row eval.Row) (float64, bool) { return f(row), true }
}

// measured is always, but for rows that say that the figure, or what it is a ratio of, was not measured.
func measured(name string, f func(eval.Row) float64) func(eval.Row) (float64, bool) {
	return func(row eval.Row) (float64, bool) {
		_, missing := row.NotMeasured[name]
		return f(row), !missing
	}
}

func useful(f func(*eval.Usefulness) float64) func(eval.Row) (float64, bool) {
	return func(row eval.Row) (float64, bool) {
		if row.Usefulness == nil {
			return 0, false
		}
		return f(row.Usefulness), true
	}
}

func trained(f func(*eval.Training) float64) func(eval.Row) (float64, bool) {
	return func(row eval.Row) (float64, bool) {
		if row.Training == nil || f(row.Training) == 0 {
			return 0, false
		}
		return f(row.Training), true
	}
}

// tableFigures are the lines of the table. Times are those of one run and have no interval: they are not ranked.
func tableFigures() []figure {
	return []figure{
		{"Train on it, test on real", "trained on it", eval.FigureAlone, "mean accuracy on held-out recordings of classifiers trained on generated clips alone", "%.3f", high, useful(func(u *eval.Usefulness) float64 { return u.Alone })},
		{"… of what real clips give", "… / on real", eval.FigureRatio, "the same, divided by the mean accuracy of classifiers trained on as many recordings", "%.3f", high, useful(func(u *eval.Usefulness) float64 { return u.Ratio })},
		{"Label accuracy", "accuracy", "label_accuracy", "share of clips that the evaluator's classifier assigns to the requested label", "%.3f", high, always(func(r eval.Row) float64 { return r.LabelAccuracy })},
		{"Inception score / real", "IS/real", "inception_ratio", "how confidently and evenly clips are classified, divided by held-out recordings", "%.3f", high, measured("inception_ratio", func(r eval.Row) float64 { return r.InceptionRatio })},
		{"Fréchet distance / real", "Fréchet/real", "frechet_ratio", "distance to the training recordings, divided by that of held-out ones; 1 is as near as fresh recordings", "%.2f", low, measuredRatio("frechet", func(r eval.Row) float64 { return r.FrechetRatio })},
		{"Kernel distance", "KID", "kernel_distance", "an unbiased distance to the training recordings; 0 is best", "%.4f", low, measured("kernel_distance", func(r eval.Row) float64 { return r.Kernel })},
		{"Kernel audio distance", "KAD", "kernel_audio_distance", "the same under a Gaussian kernel, times 100 (arXiv 2502.15602); 0 is best", "%.2f", low, measured("kernel_audio_distance", func(r eval.Row) float64 { return r.AudioKernel })},
		{"Fréchet distance, unbiased", "", "frechet_limit", "extrapolated to infinitely many clips; not divided by that of recordings", "%.2f", low, measured("frechet_limit", func(r eval.Row) float64 { return r.FrechetLimit })},
		{"Different bins (NDB)", "NDB", "ndb", "share of clusters of features that hold too many or too few clips; 0.05 is chance", "%.2f", low, always(func(r eval.Row) float64 { return r.NDB })},
		{"1-NN, real", "", "two_sample.real", "share of held-out recordings whose nearest neighbour is real; 0.5 is best", "%.2f", half, measured("two_sample", func(r eval.Row) float64 { return r.TwoSample.Real })},
		{"1-NN, generated", "", "two_sample.generated", "share of generated clips whose nearest neighbour is generated; 0.5 is best", "%.2f", half, measured("two_sample", func(r eval.Row) float64 { return r.TwoSample.Generated })},
		{"1-NN", "1-NN", "two_sample", "mean of both halves of the nearest-neighbour test; 0.5 is best", "%.2f", half, measured("two_sample", func(r eval.Row) float64 { return (r.TwoSample.Real + r.TwoSample.Generated) / 2 })},
		{"Diversity / real", "diversity", "diversity_ratio", "mean distance between clips of one label, divided by that of recordings; below 0.3 is collapse", "%.2f", one, measuredRatio("diversity", func(r eval.Row) float64 { return r.DiversityRatio })},
		{"Newness", "memory", "memorisation.spectrogram", "distance of the most copied twentieth of clips to any training clip, divided by that of held-out recordings; 0 is a copy", "%.2f", unranked, measured("memorisation", func(r eval.Row) float64 { return r.Memorisation.Spectrogram })},
		{"Silent", "", "silent", "share of clips without sound", "%.3f", low, always(func(r eval.Row) float64 { return r.Silent })},
		{"CPU seconds to train", "", "", "of all cores together", "%.0f", unranked, trained(func(t *eval.Training) float64 { return t.CPUSeconds })},
		{"Steps", "", "", "of training", "%.0f", unranked, trained(func(t *eval.Training) float64 { return float64(t.Steps) })},
		{"ms per clip", "", "", "to generate many at once, network and phase", "%.2f", unranked, trained(func(t *eval.Training) float64 { return t.PerClip })},
	}
}

// measuredRatio is measured for a figure and its ratio to real clips.
func measuredRatio(name string, f func(eval.Row) float64) func(eval.Row) (float64, bool) {
	figure, quotient := measured(name, f), measured(name+"_ratio", f)
	return func(row eval.Row) (float64, bool) {
		v, ok := figure(row)
		_, both := quotient(row)
		return v, ok && both
	}
}
