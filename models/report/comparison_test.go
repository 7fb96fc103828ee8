package report

import (
	"bytes"
	"html"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/synth"
	"wavemill/models"
	"wavemill/models/comparison"
	"wavemill/models/eval"
	"wavemill/models/frontend"
	"wavemill/models/training"
)

// compared is the result of a comparison of models named as given, with a clip of each label.
func compared(t *testing.T, names ...string) Compared {
	t.Helper()
	var clips []audio.Clip
	for _, class := range []string{"chirp", "kick"} {
		c, err := synth.Clip(class, 1, 8000)
		if err != nil {
			t.Fatal(err)
		}
		c.Source = class + "/<1>.wav"
		clips = append(clips, c)
	}
	out := Compared{Data: comparison.Data{Learn: clips, HeldOut: clips}, Command: "wavemill compare"}
	out.Report.Report = eval.Report{Labels: []string{"chirp", "kick"}, TrainClips: 2, HeldOut: 2}
	out.Report.Trusted, out.Report.HeldOut = true, []training.HeldOut{{Source: "kick/<1>.wav", Label: "kick", Digest: "0123"}}
	for _, name := range names {
		m := &comparison.Candidate{
			Name: name, Clips: clips, Checkpoint: models.Checkpoint{Arch: "vae", Step: 3, FrontEnd: frontend.PlanFor(clips)},
			Row: eval.Row{
				Name: name, Kind: "model", LabelAccuracy: 0.5, Predicted: []int{0, 0}, Confusion: [][]int{{1, 0}, {1, 0}},
				Memorisation: eval.Memorisation{Nearest: []int{1, 0}, Ratios: []float64{0.5, 1}}, Training: &eval.Training{Digest: "d1", Checkpoint: "m.safetensors"},
			},
		}
		out.Candidates = append(out.Candidates, m)
		out.Report.Rows = append(out.Report.Rows, m.Row)
	}
	out.Verdict = comparison.Decide(out.Report)
	return out
}

// written is a page as HTML.
func written(t *testing.T, p Page) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestComparisonPage(t *testing.T) {
	c := compared(t, "vae", "gan<1>")
	c.Candidates[0].History = training.History{Steps: []float64{1, 2}, Losses: map[string][]float64{"loss": {2, 1}}}
	p, err := Comparison(c)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Labels) != 2 || len(p.Labels[0].Sides) != 3 || len(p.Labels[1].Sides[1].Clips) != 1 || len(p.Curves) != 1 || len(p.Confusions) != 2 || p.Warnings != nil {
		t.Fatalf("%d labels, %d curves, %d confusion tables, warnings %q", len(p.Labels), len(p.Curves), len(p.Confusions), p.Warnings)
	}
	kick := p.Labels[1].Sides[1].Clips[0]
	if !kick.Doubted || kick.Detail != "classified as chirp" || kick.Nearest == nil || kick.Nearest.Name != "nearest: chirp/<1>.wav" {
		t.Errorf("clip %q, doubted %t, nearest %+v", kick.Detail, kick.Doubted, kick.Nearest)
	}
	page := written(t, p)
	for _, want := range []string{"Comparison of 2 models", html.EscapeString(c.Verdict.Headline), "gan&lt;1&gt;", "1 held-out recordings", "kick/&lt;1&gt;.wav", ">better<", "vae: loss", "digest d1, m.safetensors", ">none<"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// The page of one model has no differences.
func TestComparisonOfOneModel(t *testing.T) {
	p, err := Comparison(compared(t, "vae"))
	if err != nil {
		t.Fatal(err)
	}
	page := written(t, p)
	if !strings.Contains(page, "Evaluation of vae") || strings.Contains(page, ">better<") || strings.Contains(page, "interval of the difference") {
		t.Error("the page of one model shows differences, or has another title")
	}
}

// Where held-out recordings may have been seen, the warning stands at the top, once.
func TestComparisonPageWarnsOfUntrustedFigures(t *testing.T) {
	c := compared(t, "vae")
	c.Report.Trusted, c.Report.Warnings = false, []string{"not to be trusted"}
	c.Verdict = comparison.Decide(c.Report)
	p, err := Comparison(c)
	if err != nil {
		t.Fatal(err)
	}
	if page := written(t, p); strings.Count(page, "not to be trusted") != 1 || !strings.Contains(page, `class="warning"`) {
		t.Errorf("the warning is there %d times", strings.Count(page, "not to be trusted"))
	}
	if len(c.Verdict.Cautions) == len(p.Verdict.Cautions) {
		t.Error("the caution is still in the verdict")
	}
}

func TestComparisonNeedsACandidate(t *testing.T) {
	if _, err := Comparison(Compared{}); err == nil {
		t.Error("no candidate was no error")
	}
}
