package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wavemill/audio/measure"
	"wavemill/models"
	"wavemill/models/sampling"
	"wavemill/models/training"
)

// mustRun executes one command line that is to succeed.
func mustRun(t *testing.T, args ...string) (stdout, stderr string) {
	t.Helper()
	code, stdout, stderr := runCLI(t, args...)
	if code != exitOK {
		t.Fatalf("wavemill %s: exit code %d\n%s", strings.Join(args, " "), code, stderr)
	}
	return stdout, stderr
}

// decodeLines reads one JSON object a line, strictly.
func decodeLines[T any](t *testing.T, text string) []T {
	t.Helper()
	var out []T
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	for {
		var v T
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		out = append(out, v)
	}
}

// keys returns the names in a JSON object, sorted.
func keys(t *testing.T, line string) []string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		t.Fatalf("%v in %q", err, line)
	}
	return slices.Sorted(maps.Keys(m))
}

func TestTrainGenerateInspect(t *testing.T) {
	data := recordingsFolder(t, 6)
	dir := t.TempDir()
	model := filepath.Join(dir, "deep", "model.safetensors")
	stdout, _ := mustRun(t, "train", "--data", data, "--out", model, "--steps", "4", "--seed", "5", "--json")
	result := decodeLines[training.Report](t, stdout)
	if len(result) != 1 || result[0].Steps != 4 || result[0].Seed != 5 || len(result[0].Labels) != 3 || result[0].Model != "vaegan" {
		t.Errorf("train --json: %s", stdout)
	}

	// It does not overwrite hours of work by accident.
	if code, _, stderr := runCLI(t, "train", "--data", data, "--out", model, "--steps", "4"); code != exitFailed || !strings.Contains(stderr, "--resume goes on from it") {
		t.Errorf("exit code %d, %s", code, stderr)
	}

	// It goes on from where it was.
	resumed := filepath.Join(dir, "resumed.safetensors")
	mustRun(t, "train", "--data", data, "--out", resumed, "--steps", "2", "--seed", "5")
	stopped, err := models.Read(resumed)
	if err != nil || stopped.Step != 2 {
		t.Fatalf("step %d, %v", stopped.Step, err)
	}
	mustRun(t, "train", "--data", data, "--out", resumed, "--steps", "4", "--resume")
	if after, err := models.Read(resumed); err != nil || after.Step != 4 {
		t.Errorf("step %d after resuming, %v", after.Step, err)
	}

	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	stdout, _ = mustRun(t, "generate", "--model", model, "--label", "all", "--n", "2", "--seed", "40", "--out", one, "--json")
	clips := decodeLines[sampling.ClipFacts](t, stdout)
	if len(clips) != 6 || clips[0].Seed != 40 || clips[1].Seed != 41 || clips[0].Confidence != nil || clips[5].File == clips[4].File {
		t.Errorf("generate --json: %s", stdout)
	}
	if got, want := keys(t, strings.SplitN(stdout, "\n", 2)[0]), []string{"confidence", "file", "label", "model", "seed"}; !slices.Equal(got, want) {
		t.Errorf("fields %v, want %v", got, want)
	}
	// One clip asked for alone is that of the series.
	mustRun(t, "generate", "--model", model, "--label", oddLabel, "--seed", "41", "--out", two)
	for name, data := range wavsIn(t, two) {
		if wavsIn(t, one)[name] != data {
			t.Errorf("%s alone and in a series differ", name)
		}
	}

	stdout, _ = mustRun(t, "inspect", "--json", model)
	facts := decodeLines[training.Facts](t, stdout)
	if len(facts) != 1 || facts[0].Model != "vaegan" || facts[0].Step != 4 || len(facts[0].Labels) != 3 || facts[0].Digest != result[0].Digest || facts[0].Parameters == 0 {
		t.Errorf("inspect --json: %s", stdout)
	}
	stdout, _ = mustRun(t, "inspect", "--json", clips[0].File)
	sound := decodeLines[measure.Report](t, stdout)
	if len(sound) != 1 || sound[0].Format != "wav" || sound[0].SampleRate != 8000 || sound[0].Channels != 1 || sound[0].Frames == 0 || sound[0].Peak <= 0 || sound[0].RMS <= 0 || sound[0].Tags["INAM"] != clips[0].Label {
		t.Errorf("inspect --json: %s", stdout)
	}
	stdout, _ = mustRun(t, "inspect", model, clips[0].File)
	for _, want := range []string{"checkpoint of a vae", "val/", "8000 Hz, 1 channels", "dBFS"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("inspect lacks %q:\n%s", want, stdout)
		}
	}
}

func TestInterruptedTrainingSaysHowToGoOn(t *testing.T) {
	data := recordingsFolder(t, 2)
	model := filepath.Join(t.TempDir(), "m.safetensors")
	ctx, cancel := context.WithCancel(t.Context())
	cancelled := writerFunc(func(p []byte) (int, error) {
		if strings.Contains(string(p), "to learn from") { // The last line before training begins.
			cancel()
		}
		return len(p), nil
	})
	if code := execute(ctx, []string{"train", "--data", data, "--out", model, "--steps", "500000"}, strings.NewReader(""), io.Discard, cancelled); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	if _, err := models.Read(model); err != nil {
		t.Errorf("nothing to go on from: %v", err)
	}
}

// The flags of a command line can be given again, but for some.
func TestGivenFlags(t *testing.T) {
	cmd := newTrain(&app{})
	if err := cmd.ParseFlags([]string{"--steps", "9", "--data", "a b", "--data", "c", "--resume", "--no-curves", "--out=m.safetensors", "--labels", "prefix"}); err != nil {
		t.Fatal(err)
	}
	want := "--data 'a b' --data c --labels prefix --no-curves=true --out m.safetensors --steps 9"
	if got := strings.Join(givenFlags(cmd.Flags(), "resume", "overwrite"), " "); got != want {
		t.Errorf("got %s", got)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestWrongUsageOfEveryCommand(t *testing.T) {
	model := filepath.Join(t.TempDir(), "none.safetensors")
	for _, tc := range []struct {
		args string
		code int
		want string
	}{
		{"demo now", exitUsage, "takes no argument"},
		{"demo --budget 0s", exitUsage, "give the training some time"},
		{"demo --steps -1", exitUsage, "--steps -1 is negative"},
		{"demo --model vea", exitUsage, `--model "vea" is unknown; there are`},
		{"demo --per-label 0", exitUsage, "--per-label 0"},
		{"demo --labels prefix", exitUsage, "--labels is for --data"},
		{"demo --group speaker", exitUsage, "--group and --hold-out are for --data"},
		{"demo --data x --hold-out theo", exitUsage, "is not FIELD=VALUE"},
		{"demo --budjet 3m", exitUsage, "did you mean --budget?"},
		{"demo --budget soon", exitUsage, `invalid argument "soon" for "--budget"`},
		{"up now", exitUsage, "takes no argument"},
		{"up --nats nats://x --data-dir d", exitUsage, "--data-dir and --listen"},
		{"up -f none.yaml", exitFailed, "none.yaml"},
		{"operator", exitUsage, "needs the name of one operator"},
		{"operator train", exitUsage, "--nats is missing"},
		{"operator trian --nats nats://x", exitUsage, `has no operator "trian"; it has: spectrogram, train, generate`},
		{"publish", exitUsage, "needs a folder or a file"},
		{"publish none-such-folder", exitFailed, "none-such-folder"},
		{"subscribe", exitUsage, "--out is missing"},
		{"subscribe --out x --count -1", exitUsage, "is negative"},
		{"train", exitUsage, "--data is missing"},
		{"train --data x", exitUsage, "--out is missing"},
		{"train --data x --out y --model gna", exitUsage, `--model "gna" is unknown`},
		{"train --data x --out y --resume --overwrite", exitUsage, "exclude each other"},
		{"train --data x --out y.safetensors --resume", exitFailed, "no checkpoint to go on from"},
		{"generate", exitUsage, "--model is missing"},
		{"generate --model x --out y", exitUsage, "--label is missing"},
		{"generate --model x", exitUsage, "--out is missing"},
		{"generate --model x --label y --out z --n 0", exitUsage, "--n 0"},
		{"generate --model x --label y --out z --temperature 11", exitUsage, "temperature 11"},
		{"generate --model " + model + " --label y --out z", exitFailed, "none.safetensors"},
		{"inspect", exitUsage, "needs a file"},
		{"inspect none.wav", exitFailed, "none.wav"},
	} {
		t.Run(tc.args, func(t *testing.T) {
			code, stdout, stderr := runCLI(t, strings.Fields(tc.args)...)
			if code != tc.code || !strings.Contains(stderr, tc.want) || stdout != "" {
				t.Errorf("exit code %d (want %d), stdout %q, stderr lacks %q:\n%s", code, tc.code, stdout, tc.want, stderr)
			}
		})
	}
}

func TestUnknownLabelNamesTheKnown(t *testing.T) {
	if _, err := chosenLabels([]string{"thre"}, []string{"one", "three"}); !isUsage(err) || !strings.Contains(err.Error(), "one, three") {
		t.Errorf("got %v", err)
	}
	got, err := chosenLabels([]string{"three", "all"}, []string{"one", "three"})
	if err != nil || !slices.Equal(got, []string{"three", "one"}) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := chosenLabels([]string{"all"}, []string{"all", "one"}); err != nil || !slices.Equal(got, []string{"all"}) {
		t.Errorf("a label named all: %v, %v", got, err)
	}
}

func TestInspectBrokenFiles(t *testing.T) {
	dir := t.TempDir()
	text, checkpoint := filepath.Join(dir, "text.wav"), filepath.Join(dir, "m.safetensors")
	for _, f := range []string{text, checkpoint} {
		if err := os.WriteFile(f, []byte("hello there, nothing to see"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code, stdout, stderr := runCLI(t, "inspect", text, checkpoint, dir)
	if code != exitFailed || stdout != "" || !strings.Contains(stderr, "text.wav") || !strings.Contains(stderr, "m.safetensors") || !strings.Contains(stderr, "is a folder") {
		t.Errorf("exit code %d, stdout %q, stderr %s", code, stdout, stderr)
	}
}
