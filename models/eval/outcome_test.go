package eval_test

import (
	"strings"
	"testing"

	"wavemill/models/eval"
)

// Clips that are better than an augmentation which is worse than none are no gain.
func TestGainOverRecordingsAlone(t *testing.T) {
	hits := func(share float64) [][]bool {
		out := make([][]bool, 3)
		for seed := range out {
			for i := range 200 {
				out[seed] = append(out[seed], float64(i) < 200*share)
			}
		}
		return out
	}
	for name, c := range map[string]struct {
		plain, before, after float64
		verdict, says        string
	}{
		"better than both":                       {0.5, 0.6, 0.8, eval.UseThem, "clips less augmentation alone: +20.0 points"},
		"augmentation is worse, clips make good": {0.7, 0.5, 0.7, eval.NoDifference, ", less recordings alone: +0.0 points"},
		"augmentation is worse, clips stay so":   {0.9, 0.5, 0.7, eval.DoNotUse, ", less recordings alone: -20.0 points"},
		"augmentation is worse, clips better":    {0.6, 0.5, 0.8, eval.UseThem, ", less recordings alone: +20.0 points"},
		"worse than augmentation":                {0.5, 0.8, 0.6, eval.DoNotUse, "clips less augmentation alone: -20.0 points"},
	} {
		g := eval.Outcomes{Plain: hits(c.plain), Before: hits(c.before), After: hits(c.after)}.Gain(90, 900)
		if g.Verdict != c.verdict || g.Conclusion() != c.verdict || !strings.Contains(g.String(), c.says) || !strings.HasSuffix(g.String(), ": "+c.verdict) {
			t.Errorf("%s: %q, %s", name, g.Verdict, g)
		}
		if worse := c.plain > c.before; strings.Contains(g.String(), "less recordings alone") != worse || strings.Contains(g.Change(), "which is better") != worse {
			t.Errorf("%s: %s; %s", name, g, g.Change())
		}
		if !g.Intervals["over_alone_points"].Holds(g.OverAlone) {
			t.Errorf("%s: %+v", name, g)
		}
	}
	old := eval.Gain{Intervals: eval.Intervals{"gain_points": {1, 2}}} // of a file of an earlier version
	if old.Conclusion() != eval.UseThem {
		t.Errorf("without a verdict: %q", old.Conclusion())
	}
}
