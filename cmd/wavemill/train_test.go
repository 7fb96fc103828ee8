package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wavemill/internal/usage"
	"wavemill/models"
	"wavemill/models/training"
)

// smallModel writes a configuration that learns quickly.
func smallModel(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "small.json")
	if err := os.WriteFile(path, []byte(`{"channels":2,"latent":4,"embedding":4}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// commandLine is the environment variable by which a test's binary becomes wavemill itself, for a process of its own.
const commandLine = "WAVEMILL_TEST_COMMAND_LINE"

// TestCommandLine is not a test but the process that TestKilledTrainingEndsWithTheSameBytes kills.
func TestCommandLine(t *testing.T) {
	text, ok := os.LookupEnv(commandLine)
	if !ok {
		t.Skip("this is for processes that other tests start")
	}
	var args []string
	if err := json.Unmarshal([]byte(text), &args); err != nil {
		t.Fatal(err)
	}
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, newEvaluator: quickEvaluator}
	ctx, stop := usage.Interruptible()
	code := a.execute(ctx, args)
	stop()
	os.Exit(code)
}

// process prepares wavemill as a process of its own.
func process(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	text, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCommandLine$")
	cmd.Env = append(os.Environ(), commandLine+"="+string(text))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	return cmd, &out
}

// A training that is killed or interrupted at any moment, as often as you like, and resumed, leaves the bytes of one that
// was not.
func TestKilledTrainingEndsWithTheSameBytes(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a dozen processes")
	}
	data, config := recordingsFolder(t, 8), smallModel(t)
	args := func(out string, more ...string) []string {
		return append([]string{
			"train", "--model", "vae", "--data", data, "--out", out, "--config", config, "--steps", "40", "--batch", "8", "--seed", "5",
			"--eval-every", "4", "--save-every", "1ns", "--best-by", "val/kl",
		}, more...)
	}
	whole := filepath.Join(t.TempDir(), "m.safetensors")
	began := time.Now()
	cmd, out := process(t, args(whole)...)
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	took := time.Since(began)
	want, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	c, err := models.Decode(want)
	if err != nil || c.Step != 40 || c.Best == nil {
		t.Fatalf("step %d, %v", c.Step, err)
	}
	rng := rand.New(rand.NewPCG(11, 17))
	for round := range 2 {
		dir := t.TempDir()
		path := filepath.Join(dir, "m.safetensors")
		var kills []int64
		for done := false; !done; {
			more := []string(nil)
			if (models.Rotation{Path: path, Keep: 2}).Exists() {
				more = append(more, "--resume")
			}
			cmd, out := process(t, args(path, more...)...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var timer *time.Timer
			if len(kills) < 3 {
				// From the first writing on, which is what a kill may hurt.
				wait := time.Duration((0.1 + 0.5*rng.Float64()) * float64(took))
				signal := os.Kill
				if rng.IntN(3) == 0 {
					signal = os.Interrupt // Ctrl-C: saves at whatever step it is
				}
				timer = time.AfterFunc(wait, func() { _ = cmd.Process.Signal(signal) })
			}
			err := cmd.Wait()
			if timer != nil {
				timer.Stop()
			}
			switch {
			case err == nil:
				done = true
			case strings.Contains(out.String(), "interrupted at step"), strings.Contains(out.String(), "interrupted before the first step"):
				kills = append(kills, -1)
			case cmd.ProcessState.Exited():
				t.Fatalf("round %d, after %v: %v\n%s", round, kills, err, out)
			default:
				c, _, err := (models.Rotation{Path: path, Keep: 2}).Read()
				kills = append(kills, c.Step)
				if len(more) > 0 && err != nil {
					t.Fatalf("round %d: killed, and nothing can be read: %v", round, err)
				}
				// What a process leaves that is killed while it writes.
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf(".m.safetensors.%d", rng.Uint32())), want[:rng.IntN(len(want))], 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("round %d: killed when these steps were saved: %v (-1 is a Ctrl-C): another checkpoint than without", round, kills)
		}
		t.Logf("killed when these steps were saved: %v", kills)
		steps := curveSteps(t, filepath.Join(dir, "m.curves.jsonl"))
		if !slices.IsSorted(steps) || len(slices.Compact(slices.Clone(steps))) != len(steps) || steps[len(steps)-1] != 40 {
			t.Errorf("round %d: curves of steps %v", round, steps)
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), ".m.safetensors.") {
				t.Errorf("%s was left behind", e.Name())
			}
		}
	}
}

// curveSteps returns the steps of the rows.
func curveSteps(t *testing.T, path string) []int64 {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var steps []int64
	for line := range strings.Lines(string(text)) {
		var row struct {
			Step int64 `json:"step"`
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		steps = append(steps, row.Step)
	}
	return steps
}

func TestTrainLeavesCurvesPreviewsAndOldCheckpoints(t *testing.T) {
	data, config, dir := recordingsFolder(t, 6), smallModel(t), t.TempDir()
	out, previews, board := filepath.Join(dir, "m.safetensors"), filepath.Join(dir, "previews"), filepath.Join(dir, "runs")
	args := []string{
		"train", "--model", "vae", "--data", data, "--out", out, "--config", config, "--eval-every", "2", "--save-every", "1ns", "--batch", "8",
		"--previews", previews, "--tensorboard", board, "--json",
	}
	stdout, stderr := mustRun(t, append(args, "--steps", "6")...)
	result := decodeLines[training.Report](t, stdout)[0]
	if result.EndedBy != models.EndedBySteps || result.BestStep == 0 || result.BestBy != training.BestByDistance || result.Best == nil || result.Warnings == nil || result.Rollbacks == nil {
		t.Errorf("%s", stdout)
	}
	if _, ok := result.Metrics[training.BestByDistance]; !ok {
		t.Errorf("no distance among %v", result.Metrics)
	}
	if result.Curves != filepath.Join(dir, "m.curves.jsonl") || !slices.Equal(curveSteps(t, result.Curves), []int64{2, 4, 6}) {
		t.Errorf("curves %s", result.Curves)
	}
	table, err := os.ReadFile(result.CurvesCSV)
	if err != nil || strings.Count(string(table), "\n") != 4 || !strings.HasPrefix(string(table), "step,seconds,learning_rate,") {
		t.Errorf("%v:\n%s", err, table)
	}
	for i, want := range map[int]int64{0: 6, 1: 4, 2: 2} {
		name := out
		if i > 0 {
			name = fmt.Sprint(out, ".", i)
		}
		if c, err := models.Read(name); err != nil || c.Step != want {
			t.Errorf("%s: step %d, %v", name, c.Step, err)
		}
	}
	for _, step := range []int{2, 4, 6} {
		if _, err := os.Stat(filepath.Join(previews, fmt.Sprintf("step-%08d.png", step))); err != nil {
			t.Error(err)
		}
	}
	if wavs, _ := filepath.Glob(filepath.Join(previews, "step-00000006_chirp_*.wav")); len(wavs) == 0 {
		t.Error("nothing to hear")
	}
	events, _ := filepath.Glob(filepath.Join(board, "m", "events.out.tfevents.*"))
	if len(events) != 1 {
		t.Errorf("event files %v", events)
	}
	if !strings.Contains(stderr, "distance") {
		t.Errorf("the progress does not tell the distance:\n%s", stderr)
	}

	// A damaged file is no loss: the one before is gone on from, and the curves with it.
	if err := os.Truncate(out, 100); err != nil {
		t.Fatal(err)
	}
	stdout, stderr = mustRun(t, append(args, "--steps", "8", "--resume")...)
	if !strings.Contains(stderr, "going on from the one before") || decodeLines[training.Report](t, stdout)[0].Steps != 8 {
		t.Errorf("%s%s", stdout, stderr)
	}
	if steps := curveSteps(t, result.Curves); !slices.Equal(steps, []int64{2, 4, 6, 8}) {
		t.Errorf("curves of steps %v", steps)
	}
	mustRun(t, append(args, "--steps", "2", "--overwrite", "--keep", "0")...)
	if steps := curveSteps(t, result.Curves); !slices.Equal(steps, []int64{2}) {
		t.Errorf("begun anew: curves of steps %v", steps)
	}
}

func TestTrainChoosesAndStops(t *testing.T) {
	data, config, dir := recordingsFolder(t, 6), smallModel(t), t.TempDir()
	base := []string{"train", "--data", data, "--model", "vae", "--config", config, "--eval-every", "2", "--batch", "8", "--json", "--no-curves"}
	one := filepath.Join(dir, "one.safetensors")
	// The KL term rises from near nothing: it has its least value at once.
	stdout, _ := mustRun(t, append(base, "--out", one, "--steps", "400", "--patience", "2", "--best-by", "val/kl")...)
	result := decodeLines[training.Report](t, stdout)[0]
	if result.EndedBy != models.EndedByPlateau || result.Steps >= 400 || result.BestBy != "val/kl" || result.Curves != "" {
		t.Errorf("%s", stdout)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 1 {
		t.Errorf("files %v", files)
	}
	// What was chosen by goes on; the patience was used up.
	stdout, _ = mustRun(t, append(base, "--out", one, "--steps", "400", "--patience", "2", "--resume")...)
	if again := decodeLines[training.Report](t, stdout)[0]; again.BestBy != "val/kl" || again.Steps <= result.Steps || again.Steps > result.Steps+4 {
		t.Errorf("%s", stdout)
	}
	two := filepath.Join(dir, "two.safetensors")
	stdout, _ = mustRun(t, append(base, "--out", two, "--steps", "4", "--best-by", "last")...)
	if r := decodeLines[training.Report](t, stdout)[0]; r.BestBy != "last" || r.Best != nil || r.BestStep != 4 {
		t.Errorf("%s", stdout)
	}
	for _, tc := range []struct{ args, want string }{
		{"--best-by val/nothing", "has no such loss; it has: val/kl, val/loss"},
		{"--best-by accuracy", `--best-by "accuracy" is none of`},
		{"--best-by last --patience 3", "--patience needs a figure"},
		{"--keep -1", "must not be negative"},
		{"--latent 2 --model gan --config /dev/null", "--latent is for vae and vaegan"},
	} {
		args := append(base[:3:3], "--model", "vae", "--out", filepath.Join(dir, "none.safetensors"), "--steps", "4")
		if code, _, stderr := runCLI(t, append(args, strings.Fields(tc.args)...)...); code != exitUsage || !strings.Contains(stderr, tc.want) {
			t.Errorf("%s: exit code %d, %s", tc.args, code, stderr)
		}
	}
}

func TestLatentSize(t *testing.T) {
	data, out := recordingsFolder(t, 4), filepath.Join(t.TempDir(), "m.safetensors")
	_, stderr := mustRun(t, "train", "--data", data, "--out", out, "--steps", "2", "--latent", "2", "--batch", "4")
	if c, err := models.Read(out); err != nil || !strings.Contains(string(c.Config), `"latent":2,`) || !strings.Contains(stderr, "wavemill latents --model") {
		t.Errorf("%s, %v\n%s", c.Config, err, stderr)
	}
}
