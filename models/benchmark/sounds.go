package benchmark

import (
	"math"
	"strings"

	"wavemill/audio/timbre"
	"wavemill/models/comparison"
	"wavemill/models/eval"
)

// meanSounds are the sounds of runs by label: means over the runs that have the label and the measure, with the numbers of
// clips added up.
func meanSounds(runs []Run) []eval.Sound {
	var labels []string
	of := map[string][]eval.Sound{}
	for _, r := range runs {
		for _, s := range r.Row.Sounds {
			if of[s.Label] == nil {
				labels = append(labels, s.Label)
			}
			of[s.Label] = append(of[s.Label], s)
		}
	}
	var out []eval.Sound
	for _, label := range labels {
		out = append(out, meanSound(of[label]))
	}
	return out
}

func meanSound(sounds []eval.Sound) eval.Sound {
	mean := eval.Sound{Comparison: timbre.Comparison{Label: sounds[0].Label}}
	reference, other := make([]timbre.Measures, len(sounds)), make([]timbre.Measures, len(sounds))
	for i, s := range sounds {
		mean.ReferenceClips, mean.OtherClips = mean.ReferenceClips+s.ReferenceClips, mean.OtherClips+s.OtherClips
		reference[i], other[i] = s.Reference, s.Other
	}
	mean.Reference, mean.Other = meanMeasures(reference), meanMeasures(other)
	mean.RoundTrips = meanPairs(sounds)
	return mean
}

// meanMeasures is the mean of each measure where it is defined.
func meanMeasures(all []timbre.Measures) timbre.Measures {
	out := timbre.Undefined()
	for _, q := range timbre.Quantities() {
		var values []float64
		for i := range all {
			values = append(values, *q.Of(&all[i]))
		}
		*q.Of(&out) = meanDefined(values)
	}
	return out
}

// meanPairs is the mean of the round trips, nil where there are none.
func meanPairs(sounds []eval.Sound) *timbre.Pairs {
	var out timbre.Pairs
	var cents, errors, off, attack, tail, level []float64
	found := false
	for _, s := range sounds {
		if p := s.RoundTrips; p != nil {
			found = true
			out.Count, out.Pitched = out.Count+p.Count, out.Pitched+p.Pitched
			cents, errors, off = append(cents, p.Cents), append(errors, p.CentsError), append(off, p.OffPitch)
			attack, tail, level = append(attack, p.Attack), append(tail, p.Tail), append(level, p.Level)
		}
	}
	if !found {
		return nil
	}
	out.Cents, out.CentsError, out.OffPitch = meanDefined(cents), meanDefined(errors), meanDefined(off)
	out.Attack, out.Tail, out.Level = meanDefined(attack), meanDefined(tail), meanDefined(level)
	return &out
}

// meanDefined is the mean of the values that are not NaN, NaN without any.
func meanDefined(values []float64) float64 {
	var sum float64
	var count int
	for _, v := range values {
		if !math.IsNaN(v) {
			sum += v
			count++
		}
	}
	return sum / float64(count)
}

// writeSounds writes the table of what an ear minds; nothing where no run has it.
func (r Result) writeSounds(b *strings.Builder) {
	var rows []eval.Row
	for _, m := range r.Means {
		rows = append(rows, eval.Row{Name: m.Model, Sounds: m.Sounds})
	}
	table := comparison.SoundTable(rows)
	if table == nil {
		return
	}
	b.WriteString("\nSounds, medians of held-out recordings → of clips, by label:\n\n")
	for i, line := range table {
		b.WriteString("| " + strings.Join(line, " | ") + " |\n")
		if i == 0 {
			b.WriteString("|" + strings.Repeat(" --- |", 2) + strings.Repeat(" ---: |", len(line)-2) + "\n")
		}
	}
}
