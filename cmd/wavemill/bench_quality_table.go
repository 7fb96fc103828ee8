package main

import (
	"fmt"
	"math"
	"os"
	"strings"

	"wavemill/models/eval"
)

// qualityMeans are the means of one model over the seeds.
type qualityMeans struct {
	Model         string  `json:"model"`
	Runs          int     `json:"runs"`
	LabelAccuracy mean    `json:"label_accuracy"`
	Inception     mean    `json:"inception_ratio"`
	Frechet       mean    `json:"frechet_ratio"`
	Useful        mean    `json:"trained_on_synthetic_ratio"`
	Diversity     mean    `json:"diversity_ratio"`
	NDB           mean    `json:"ndb"`
	TwoSample     mean    `json:"two_sample"` // of both halves
	Newness       mean    `json:"memorisation"`
	Alarms        int     `json:"memorisation_alarms"`
	Gains         []mean  `json:"gains"` // in points, by share of the real clips
	Few           mean    `json:"few_gain"`
	FewBefore     mean    `json:"few_before"`
	PerClip       mean    `json:"ms_per_clip"`
	Steps         float64 `json:"steps"`
}

// A mean is a mean over seeds and the standard deviation of one.
type mean struct {
	Mean float64 `json:"mean"`
	SD   float64 `json:"sd"`
	n    int
	sum  float64
	sq   float64
}

// add takes a value into the mean.
func (m *mean) add(v float64) {
	m.n++
	m.sum += v
	m.sq += v * v
	m.Mean = m.sum / float64(m.n)
	if m.n > 1 {
		m.SD = math.Sqrt(max(0, m.sq-m.sum*m.Mean) / float64(m.n-1))
	}
}

// text prints a mean with its deviation, or a dash.
func (m *mean) text(digits int) string {
	switch m.n {
	case 0:
		return "–"
	case 1:
		return fmt.Sprintf("%.*f", digits, m.Mean)
	}
	return fmt.Sprintf("%.*f ± %.*f", digits, m.Mean, digits, m.SD)
}

// meansOf averages the runs of each model, and those of the references.
func meansOf(r qualityResult, models []string) []qualityMeans {
	var out []qualityMeans
	for _, name := range append([]string{"real", "ceiling", "noise"}, models...) {
		m := qualityMeans{Model: name}
		for _, run := range append(r.Reference, r.Models...) {
			if run.Model == name {
				m.take(run)
			}
		}
		out = append(out, m)
	}
	return out
}

func (m *qualityMeans) take(run qualityRun) {
	row := run.Row
	m.Runs++
	m.LabelAccuracy.add(row.LabelAccuracy)
	m.Inception.add(row.InceptionRatio)
	m.Frechet.add(row.FrechetRatio)
	m.Diversity.add(row.DiversityRatio)
	m.NDB.add(row.NDB)
	m.TwoSample.add((row.TwoSample.Real + row.TwoSample.Generated) / 2)
	m.Newness.add(row.Memorisation.Spectrogram)
	if row.Memorisation.Alarm {
		m.Alarms++
	}
	if u := row.Usefulness; u != nil {
		m.Useful.add(u.Ratio)
		for i, g := range u.Added {
			if i == len(m.Gains) {
				m.Gains = append(m.Gains, mean{})
			}
			m.Gains[i].add(g.Points)
		}
	}
	if run.Few != nil {
		m.Few.add(run.Few.Points)
		m.FewBefore.add(100 * run.Few.Before)
	}
	if row.Training != nil {
		m.PerClip.add(row.Training.PerClip)
		m.Steps += (float64(row.Training.Steps) - m.Steps) / float64(m.Runs)
	}
}

// markdown is the result as tables.
func (r qualityResult) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s. Seeds 1 to %d: split, training, judge and clips; means ± standard deviation over them. About %d recordings to learn from, %d held out.\n\n    %s\n\n",
		r.Date, r.Machine, r.Seeds, r.Train, r.HeldOut, r.Command)
	line := func(name string, cell func(qualityMeans) string) {
		fmt.Fprintf(&b, "| %s |", name)
		for _, m := range r.Means {
			fmt.Fprintf(&b, " %s |", cell(m))
		}
		b.WriteString("\n")
	}
	line("", func(m qualityMeans) string { return m.Model })
	line("---", func(qualityMeans) string { return "---:" })
	line("label accuracy", func(m qualityMeans) string { return m.LabelAccuracy.text(3) })
	line("IS / IS of real", func(m qualityMeans) string { return m.Inception.text(3) })
	line("Fréchet / that of held-out real", func(m qualityMeans) string { return m.Frechet.text(2) })
	line("trained on synthetic, tested on real / trained on real", func(m qualityMeans) string { return m.Useful.text(3) })
	line("memorisation alarm", func(m qualityMeans) string {
		if m.Alarms == 0 {
			return fmt.Sprintf("silent (%s)", m.Newness.text(2))
		}
		return fmt.Sprintf("**%d of %d** (%s)", m.Alarms, m.Runs, m.Newness.text(2))
	})
	line("diversity / that of real", func(m qualityMeans) string { return m.Diversity.text(2) })
	line("NDB", func(m qualityMeans) string { return m.NDB.text(2) })
	line("1-NN", func(m qualityMeans) string { return m.TwoSample.text(2) })
	for i, share := range gainShares(r.Models) {
		line(fmt.Sprintf("points gained beside %g %% of the recordings", 100*share), func(m qualityMeans) string {
			if i >= len(m.Gains) {
				return "–"
			}
			return m.Gains[i].text(1)
		})
	}
	if r.FewShare > 0 {
		line(fmt.Sprintf("points gained by clips of a model that learnt from %g %% of the recordings, beside those alone", 100*r.FewShare),
			func(m qualityMeans) string { return m.Few.text(1) })
		line("… from an accuracy of, %", func(m qualityMeans) string { return m.FewBefore.text(1) })
	}
	line("ms a clip, many at once", func(m qualityMeans) string { return m.PerClip.text(2) })
	line("steps", func(m qualityMeans) string {
		if m.Steps == 0 {
			return "–"
		}
		return fmt.Sprintf("%.0f", m.Steps)
	})
	return b.String()
}

// gainShares are the shares of recordings that clips were added to.
func gainShares(runs []qualityRun) []float64 {
	for _, run := range runs {
		if u := run.Row.Usefulness; u != nil {
			return sharesOf(u.Added)
		}
	}
	return nil
}

func sharesOf(gains []eval.Gain) []float64 {
	shares := make([]float64, len(gains))
	for i, g := range gains {
		shares[i] = g.Share
	}
	return shares
}

// replaceSection replaces what stands between a document's marker comments of that name.
func replaceSection(path, name, text string) error {
	doc, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	begin, end := "<!-- quality "+name+" -->", "<!-- end "+name+" -->"
	head, rest, found := strings.Cut(string(doc), begin)
	_, tail, closed := strings.Cut(rest, end)
	if !found || !closed {
		return fmt.Errorf("%s: there is no %q followed by %q to write between", path, begin, end)
	}
	return writeFile(path, []byte(head+begin+"\n"+text+end+tail))
}
