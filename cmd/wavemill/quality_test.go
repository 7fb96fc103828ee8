package main

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wavemill/models"
	"wavemill/models/augment"
	"wavemill/models/comparison"
	"wavemill/models/report"
	"wavemill/models/training"
)

// quickModel trains a model for a few steps, which is not to be listened to.
func quickModel(t *testing.T, data, arch string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), arch+".safetensors")
	mustRun(t, "train", "--data", data, "--out", file, "--model", arch, "--steps", "2", "--seed", "5")
	return file
}

func TestEvalPrintsARowForEachKind(t *testing.T) {
	if testing.Short() {
		t.Skip("trains a model and a judge")
	}
	data := recordingsFolder(t, 12)
	model := quickModel(t, data, "vae")
	html := filepath.Join(t.TempDir(), "eval.html")
	args := []string{"eval", "--model", model, "--data", data, "--useful=false", "--clips", "30", "--html", html}
	stdout, _ := mustRun(t, append(args, "--json")...)
	reports := decodeLines[comparison.Report](t, stdout)
	if len(reports) != 1 {
		t.Fatalf("%d reports", len(reports))
	}
	r := reports[0]
	var kinds []string
	for _, row := range r.Rows {
		kinds = append(kinds, row.Kind)
	}
	if !slices.Equal(kinds, []string{"real", "ceiling", "noise", "model"}) || r.Format != 1 || r.TrainClips+r.Report.HeldOut != 36 || len(r.Labels) != 3 {
		t.Errorf("%s", stdout)
	}
	if page, err := os.ReadFile(html); err != nil || !strings.Contains(string(page), "Evaluation of vae") || !strings.Contains(string(page), "data:audio/wav") {
		t.Errorf("page of %d bytes, error %v", len(page), err)
	}
	if m := r.Rows[3]; m.Clips != 30 || m.Training == nil || m.Training.Checkpoint != model || m.Training.Steps != 2 || m.Usefulness != nil {
		t.Errorf("the model's row: %+v", m)
	}
	if len(r.HeldOut) != r.Report.HeldOut || !r.Trusted || len(r.Warnings) != 0 {
		t.Errorf("held out %v, trusted %v, warnings %q", r.HeldOut, r.Trusted, r.Warnings)
	}
}

// heldOutBy returns the sources of what a command's JSON calls held out.
func heldOutBy(t *testing.T, r comparison.Report) []string {
	t.Helper()
	var sources []string
	for _, h := range r.HeldOut {
		if h.Source == "" || h.Label == "" || h.Digest == "" {
			t.Errorf("%+v", h)
		}
		sources = append(sources, h.Source)
	}
	slices.Sort(sources)
	return sources
}

// What is called held out was not trained on, whatever the seeds of the models and of the evaluation are.
func TestNothingHeldOutWasTrainedOn(t *testing.T) {
	if testing.Short() {
		t.Skip("trains two models and evaluators")
	}
	data, out := recordingsFolder(t, 12), filepath.Join(t.TempDir(), "out")
	seen := map[string]bool{}
	var files []string
	for _, seed := range []string{"5", "6"} {
		file := filepath.Join(t.TempDir(), seed+".safetensors")
		mustRun(t, "train", "--data", data, "--out", file, "--model", "vae", "--steps", "2", "--seed", seed)
		c, err := models.Read(file)
		if err != nil || c.Data == nil {
			t.Fatalf("no record of the recordings, error %v", err)
		}
		for _, r := range slices.Concat(c.Data.Learnt, c.Data.Chosen) {
			seen[r.Digest] = true
		}
		files = append(files, file)
	}
	code, stdout, stderr := runCLI(t, "compare", "--data", data, "--model", files[0], "--model", files[1], "--clips", "30", "--useful=false", "--out", out, "--json")
	if code != exitOK {
		// Between them, two seeds may leave a label nothing: then the command must have said so.
		if code != exitFailed || !strings.Contains(stderr, "--test DIR") {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
		others := recordingsFolder(t, 14)
		stdout, _ = mustRun(t, "compare", "--data", data, "--test", others, "--model", files[0], "--model", files[1], "--clips", "30", "--useful=false", "--out", out, "--json")
	}
	r := decodeLines[comparison.Document](t, stdout)[0]
	if len(heldOutBy(t, r.Report)) == 0 || !r.Trusted {
		t.Errorf("held out %v, trusted %v", r.HeldOut, r.Trusted)
	}
	for _, h := range r.HeldOut {
		if seen[h.Digest] {
			t.Errorf("%s is called held out, a model was trained on it", h.Source)
		}
	}
}

// A checkpoint without a record of its recordings is evaluated with a warning.
func TestEvalWarnsOfCheckpointsWithoutRecord(t *testing.T) {
	if testing.Short() {
		t.Skip("trains a model and an evaluator")
	}
	data := recordingsFolder(t, 12)
	model := quickModel(t, data, "vae")
	c, err := models.Read(model)
	if err != nil {
		t.Fatal(err)
	}
	c.Data = nil
	if err := c.Write(model); err != nil {
		t.Fatal(err)
	}
	stdout, stderr := mustRun(t, "eval", "--model", model, "--data", data, "--useful=false", "--clips", "30", "--json")
	r := decodeLines[comparison.Report](t, stdout)[0]
	if r.Trusted || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "does not record") || !strings.Contains(stderr, "does not record") {
		t.Errorf("trusted %v, warnings %q, on the screen:\n%s", r.Trusted, r.Warnings, stderr)
	}
	if code, _, stderr := runCLI(t, "eval", "--model", model, "--data", data, "--test", data, "--useful=false"); code != exitFailed || !strings.Contains(stderr, "copies of those in --data") {
		t.Errorf("--test is --data: exit code %d, %s", code, stderr)
	}
}

func TestCompareWritesBothReports(t *testing.T) {
	if testing.Short() {
		t.Skip("trains two models and a judge")
	}
	data, out := recordingsFolder(t, 12), filepath.Join(t.TempDir(), "deep", "comparison")
	model := quickModel(t, data, "vae")
	stdout, stderr := mustRun(t, "compare", "--data", data, "--model", "vae", "--model", model, "--steps", "2", "--clips", "30", "--useful=false", "--out", out, "--json")
	printed := decodeLines[comparison.Document](t, stdout)
	text, err := os.ReadFile(filepath.Join(out, report.ComparisonJSON))
	if err != nil {
		t.Fatal(err)
	}
	written := decodeLines[comparison.Document](t, string(text))
	if len(printed) != 1 || len(written) != 1 || mustJSON(t, printed[0]) != mustJSON(t, written[0]) {
		t.Errorf("--json printed another report than %s holds", report.ComparisonJSON)
	}
	r := written[0]
	if n := len(r.Rows); n != 5 || r.Rows[3].Name != "vae" || r.Rows[4].Name != "vae 2" || r.Rows[3].Training.Seconds <= 0 || r.Rows[4].Training.Seconds != 0 {
		t.Errorf("rows: %s", text)
	}
	if !strings.Contains(stderr, "training the evaluator") {
		t.Errorf("nothing is said of what takes long:\n%s", stderr)
	}
	if !strings.Contains(stderr, "evaluating 2 models takes about") {
		t.Errorf("nothing is said of how long it takes:\n%s", stderr)
	}
	var table strings.Builder
	if err := comparison.WriteTable(&table, r.Report); err != nil || !strings.Contains(table.String(), "ceiling") || !strings.Contains(table.String(), "Fréchet/real") {
		t.Errorf("table, error %v:\n%s", err, table.String())
	}
	if r.Verdict.Headline == "" || r.DataHash == "" || !strings.Contains(r.Command, "--steps 2") {
		t.Errorf("verdict %+v, command %q", r.Verdict, r.Command)
	}
	page, err := os.ReadFile(filepath.Join(out, report.ComparisonHTML))
	if err != nil || !strings.Contains(string(page), r.Verdict.Headline) || !strings.Contains(string(page), "data:audio/wav") {
		t.Errorf("page of %d bytes, error %v", len(page), err)
	}
	if cp, err := models.Read(filepath.Join(out, "vae.safetensors")); err != nil || cp.Step != 2 {
		t.Errorf("the trained checkpoint: step %d, error %v", cp.Step, err)
	} else if cp.Data == nil || !slices.Equal(training.HeldOutOf(cp), sorted(r.HeldOut)) {
		t.Errorf("the trained checkpoint records %v as held out, the report lists %v", training.HeldOutOf(cp), r.HeldOut)
	}
}

// sorted returns a list in the order of training.HeldOutOf.
func sorted(list []training.HeldOut) []training.HeldOut {
	return slices.SortedFunc(slices.Values(list), func(a, b training.HeldOut) int {
		return cmp.Or(strings.Compare(a.Label, b.Label), strings.Compare(a.Digest, b.Digest))
	})
}

// Two recordings of each label are too few, and the message says what of.
func TestEvalOfTwoEach(t *testing.T) {
	if testing.Short() {
		t.Skip("trains a model")
	}
	data := recordingsFolder(t, 2)
	model := quickModel(t, data, "vae")
	code, _, stderr := runCLI(t, "eval", "--model", model, "--data", data, "--useful=false")
	if code != exitFailed || strings.Contains(stderr, "one clip alone") || !strings.Contains(stderr, "too few") && !strings.Contains(stderr, "--test DIR") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

func TestTopupWritesClipsManifestAndProof(t *testing.T) {
	if testing.Short() {
		t.Skip("trains a model and classifiers")
	}
	data, out := recordingsFolder(t, 8), filepath.Join(t.TempDir(), "more")
	model := quickModel(t, data, "vae")
	args := []string{"topup", "--data", data, "--model", model, "--to", "24", "--out", out, "--proof=false", "--confidence", "0", "--json"}
	stdout, _ := mustRun(t, args...)
	r := decodeLines[augment.Report](t, stdout)[0]
	if len(r.Labels) != 3 || r.To != 24 || r.Proof != nil {
		t.Fatalf("%s", stdout)
	}
	kept, weights := 0, map[string]string{}
	for _, l := range r.Labels {
		kept += l.Generated
		weights["generated"+l.Label], weights["recorded"+l.Label] = "1.000", fmt.Sprintf("%.3f", max(1, float64(l.Generated)/8))
		refused := 0
		for _, n := range l.Refused {
			refused += n
		}
		if l.Recordings != 8 || l.Generated+l.Missing != 16 || l.Generated+refused != l.Tried || l.Acceptance != float64(l.Generated)/float64(l.Tried) {
			t.Errorf("%+v", l)
		}
	}
	if r.Generated <= r.Labels[0].Recordings*len(r.Labels) {
		t.Errorf("%d clips do not outnumber the recordings: the weights say nothing", r.Generated)
	}
	f, err := os.Open(r.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) != 1+24+kept || kept != r.Generated {
		t.Fatalf("%d rows, %d clips kept, error %v", len(rows), kept, err)
	}
	for _, row := range rows[1:] {
		path := row[0]
		if want := weights[row[2]+row[1]]; row[6] != want {
			t.Errorf("%q: want a weight of %s", row, want)
		}
		if row[2] == "generated" {
			path = filepath.Join(out, path)
		}
		if _, err := os.Stat(path); err != nil || row[1] == "" {
			t.Errorf("%q: %v", row, err)
		}
	}
	if code, _, stderr := runCLI(t, args...); code != exitFailed || !strings.Contains(stderr, "--overwrite") {
		t.Errorf("a second time: exit code %d, %s", code, stderr)
	}
	// What the model was trained on proves nothing, whatever the files are called.
	code, _, stderr := runCLI(t, "topup", "--data", data, "--model", model, "--to", "24", "--out", t.TempDir(), "--test", data)
	if code != exitFailed || !strings.Contains(stderr, "24 of 24 recordings of --test are left out") || !strings.Contains(stderr, "with --test DIR") {
		t.Errorf("tested on what was trained on: exit code %d, %s", code, stderr)
	}
}

func TestJudgingCommandsRefuse(t *testing.T) {
	dir := t.TempDir()
	doc := filepath.Join(dir, "doc.md")
	if err := os.WriteFile(doc, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, want string }{
		{"eval --data x", "--model is missing"},
		{"eval --model x", "--data is missing"},
		{"eval --model x --data y --clips -1", "--clips"},
		{"eval --model x --data y --clips 99999999999", "--clips 99999999999: ask for 1 to 100000 clips"},
		{"compare --model vae --out x", "--data is missing"},
		{"compare --data x --out x", "--model is missing"},
		{"compare --data x --model vae", "--out is missing"},
		{"compare --data x --model nonsense --out y", "neither an architecture"},
		{"compare --data x --model vae --out y --budget 0s", "--budget"},
		{"compare --data x --model vae --out y --steps 0", "--steps must be positive"},
		{"compare --data x --model vae --out y --steps -1", "--steps must be positive"},
		{"topup --model x --to 5 --out y", "--data is missing"},
		{"topup --data x --model x --out y", "--to is missing"},
		{"topup --data x --model x --to 5 --out y --confidence 1", "--confidence"},
		{"topup --data x --model x --to 5 --out y --require-gain --proof=false", "--require-gain needs the proof"},
		{"bench quality --keep x", "--data is missing"},
		{"bench quality --data x", "--keep is missing"},
		{"bench quality --data x --keep y --write z", "--name"},
		{"bench quality --data x --keep y --model nonsense", "unknown"},
		{"bench quality --data x --keep y --few 1", "--few 1"},
		{"bench quality --data x --keep y --seeds 0", "--seeds 0"},
		{"bench quality --data x --keep y --steps -1", "--steps -1"},
		{"bench quality --data x --keep y --steps 0", "--steps must be positive"},
		{"bench quality --data x --keep y --budget 0s", "--budget 0s"},
		{"bench quality --data x --keep y --group kit --leave-out speaker", "--leave-out speaker"},
		{"bench quality --data x --keep y --shares 2", "--shares 2"},
		{"bench quality --data x --keep y --shares 0,0.5", "--shares 0"},
	} {
		if code, _, stderr := runCLI(t, strings.Fields(c.args)...); code != exitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("wavemill %s: exit code %d, %s", c.args, code, stderr)
		}
	}
	if code, _, stderr := runCLI(t, "eval", "--model", doc, "--data", dir); code != exitFailed || !strings.Contains(stderr, "checkpoint") {
		t.Errorf("no checkpoint: exit code %d, %s", code, stderr)
	}
}

// Recordings of labels that the model does not know are refused before an evaluator is trained.
func TestEvaluationOfOtherLabels(t *testing.T) {
	data := recordingsFolder(t, 6)
	model := trainSmall(t, data, "vae", 2)
	if err := os.Rename(filepath.Join(data, "chirp"), filepath.Join(data, "horn")); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	for _, args := range [][]string{{"eval"}, {"compare", "--out", out}} {
		code, stdout, stderr := runCLI(t, append(args, "--model", model, "--data", data, "--quick")...)
		if code != exitFailed || stdout != "" || !strings.Contains(stderr, model+": the model does not know the label \"horn\"") || !strings.Contains(stderr, "right --data or --labels?") || strings.Contains(stderr, "evaluat") {
			t.Errorf("%s: exit code %d\n%s", args[0], code, stderr)
		}
	}
	for _, label := range []string{"hihat", oddLabel} {
		if err := os.RemoveAll(filepath.Join(data, label)); err != nil {
			t.Fatal(err)
		}
	}
	code, stdout, stderr := runCLI(t, "topup", "--model", model, "--data", data, "--to", "9", "--out", out)
	if code != exitFailed || stdout != "" || !strings.Contains(stderr, model+": the model knows no label of the recordings") || !strings.Contains(stderr, "right --data or --labels?") || strings.Contains(stderr, "train the classifier") {
		t.Errorf("topup: exit code %d\n%s", code, stderr)
	}
	if _, err := os.Stat(out); err == nil {
		t.Errorf("refused, and yet %s was made", out)
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
