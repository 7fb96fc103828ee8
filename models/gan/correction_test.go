package gan

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"wavemill/models"
)

// artefacts returns the root mean square of what fine structure the clips of the labels of a and b do not have in common, and of
// what else their means differ in.
func artefacts(a, b models.Batch, labels int) (fine, coarse float64) {
	x, _ := meanOfEach(a, labels)
	y, _ := meanOfEach(b, labels)
	size := a.T * a.F
	for l := range labels {
		d := make([]float64, size)
		for i := range d {
			d[i] = x[l*size+i] - y[l*size+i]
		}
		for i, c := range smoothed(d, a.T, a.F, coarsePasses) {
			fine += (d[i] - c) * (d[i] - c)
			coarse += c * c
		}
	}
	n := float64(labels * size)
	return math.Sqrt(fine / n), math.Sqrt(coarse / n)
}

// Clips of other seeds than those that the correction was estimated on have fewer artefacts, and nothing else changes.
func TestCorrectionTakesMarksAway(t *testing.T) {
	x := bars(240)
	l := learner(t, `{"channels": 4}`)
	steps(t, l, 20, rand.New(rand.NewPCG(1, 1)))
	labels := make([]int, 600)
	for i := range labels {
		labels[i] = i % l.shape.Labels
	}
	clips := func() models.Batch {
		b, err := opened(t, l).Generate(t.Context(), models.Series(labels, 11, 0))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	clear(l.correction)
	fine, coarse := artefacts(clips(), x, l.shape.Labels)
	if err := l.Calibrate(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	fineAfter, coarseAfter := artefacts(clips(), x, l.shape.Labels)
	t.Logf("fine %.4f, corrected %.4f; coarse %.4f, %.4f", fine, fineAfter, coarse, coarseAfter)
	if fineAfter > 0.6*fine {
		t.Errorf("the labels' fine structure differs by %.4f with the correction and by %.4f without", fineAfter, fine)
	}
	if math.Abs(coarseAfter-coarse) > 0.2*coarse {
		t.Errorf("the rest differs by %.4f with the correction and by %.4f without", coarseAfter, coarse)
	}
}

// A label without recordings is left as it is, and one with few nearly so.
func TestCorrectionDoubtsFewRecordings(t *testing.T) {
	x := bars(240)
	l := learner(t, `{"channels": 4}`)
	size := x.T * x.F
	power := func(label int) (sum float64) {
		for _, v := range l.correction[label*size : (label+1)*size] {
			sum += float64(v) * float64(v)
		}
		return math.Sqrt(sum)
	}
	if err := l.Calibrate(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	many := power(0)
	var rows []int
	for i, label := range x.Labels {
		if label == 0 && len(rows) < 1 {
			rows = append(rows, i)
		}
	}
	if err := l.Calibrate(t.Context(), x.Select(models.Batch{}, rows)); err != nil {
		t.Fatal(err)
	}
	if one := power(0); !(one < many/2) {
		t.Errorf("of one recording the correction is %.3f, of many %.3f", one, many)
	}
	if none := power(1); none != 0 {
		t.Errorf("of no recording the correction is %.3f", none)
	}
}

func TestOpenRefusesBadCorrections(t *testing.T) {
	for name, change := range map[string]func(*models.Checkpoint){
		"none": func(c *models.Checkpoint) { drop(c, tensorCorrection) },
		"too small": func(c *models.Checkpoint) {
			for i := range c.Tensors {
				if t := &c.Tensors[i]; t.Name == tensorCorrection {
					t.Shape, t.Data = []int{1, t.Shape[1], t.Shape[2]}, t.Data[:t.Shape[1]*t.Shape[2]]
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			cp := made(t, `{"channels": 4}`, 1)
			if _, err := Open(cp); err != nil {
				t.Fatal(err)
			}
			change(&cp)
			if _, err := Open(cp); err == nil || !strings.Contains(err.Error(), "correction") {
				t.Errorf("opened: error %v, want one of the correction", err)
			}
			l := learner(t, `{"channels": 4}`)
			if err := l.Restore(cp); err == nil || !strings.Contains(err.Error(), "correction") {
				t.Errorf("restored: error %v, want one of the correction", err)
			}
		})
	}
}
