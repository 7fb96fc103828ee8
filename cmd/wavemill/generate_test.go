package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/benchmark"
	"wavemill/models/sampling"
	"wavemill/models/training"
)

// smallConfigs are the settings of architectures that learn in a second.
var smallConfigs = map[string]string{
	"vae":    `{"channels": 8, "latent": 8}`,
	"vaegan": `{"vae": {"channels": 8, "latent": 8}, "discriminator_channels": 4}`,
	"gan":    `{"channels": 4, "latent": 8}`,
}

// trainSmall trains a small model and returns its file.
func trainSmall(t *testing.T, data, arch string, steps int) string {
	t.Helper()
	dir := t.TempDir()
	config, model := filepath.Join(dir, "config.json"), filepath.Join(dir, arch+".safetensors")
	if err := os.WriteFile(config, []byte(smallConfigs[arch]), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "train", "--data", data, "--model", arch, "--config", config, "--out", model, "--steps", strconv.Itoa(steps), "--batch", "16", "--seed", "5")
	return model
}

// made runs generate and returns the lines of its clips.
func made(t *testing.T, args ...string) []sampling.ClipFacts {
	t.Helper()
	stdout, _ := mustRun(t, append([]string{"generate", "--json"}, args...)...)
	return decodeLines[sampling.ClipFacts](t, stdout)
}

// mustRegenerate generates clips again with nothing but the model.
func mustRegenerate(t *testing.T, model string, clips []sampling.ClipFacts) {
	t.Helper()
	args := []string{"regenerate", "--json", "--model", model}
	for _, c := range clips {
		args = append(args, c.File)
	}
	stdout, _ := mustRun(t, args...)
	for i, r := range decodeLines[sampling.Regenerated](t, stdout) {
		if !r.Same || r.File != clips[i].File || r.Seed != clips[i].Seed {
			t.Errorf("%+v of %+v", r, clips[i])
		}
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestGenerateKinds generates clips of every kind with every architecture, and each again from its file.
func TestGenerateKinds(t *testing.T) {
	data := recordingsFolder(t, 6)
	for arch := range smallConfigs {
		t.Run(arch, func(t *testing.T) {
			model, out := trainSmall(t, data, arch, 8), t.TempDir()
			base := []string{"--model", model, "--out", out, "--seed", "40"}
			run := func(args ...string) []sampling.ClipFacts { return made(t, slices.Concat(base, args)...) }

			plain := run("--label", "chirp,hihat", "--n", "2")
			checkTemperatureZero(t, model, out, read(t, plain[0].File))
			if len(plain) != 4 || plain[1].Label != "chirp" || plain[1].Seed != 41 || plain[2].Label != "hihat" || plain[2].Seed != 40 {
				t.Fatalf("a list of labels: %+v", plain)
			}
			mix := run("--label", "chirp", "--label", "hihat", "--mix", "0.3", "--n", "2", "--temperature", "0.8")
			if len(mix) != 2 || mix[0].Label != "chirp-hihat" || *mix[0].Mix != (sampling.MixFacts{From: "chirp", To: "hihat", Weight: 0.3}) || mix[1].Seed != 41 || mix[0].Temperature != 0.8 {
				t.Fatalf("a mix: %+v", mix)
			}
			if _, h, err := wav.Decode(read(t, mix[0].File)); err != nil || h.Tags["INAM"] != "chirp-hihat" {
				t.Errorf("the mix is called %q (%v)", h.Tags["INAM"], err)
			}
			series := run("--label", "chirp,hihat", "--interpolate", "5", "--n", "2")
			if len(series) != 10 || series[1].Mix.Weight != 0.25 || series[4].Mix != nil || series[4].Label != "hihat" || series[5].Seed != 41 {
				t.Fatalf("a series: %+v", series)
			}
			if !bytes.Equal(read(t, series[0].File), read(t, plain[0].File)) || !bytes.Equal(read(t, series[9].File), read(t, plain[3].File)) {
				t.Error("the ends of a series are not the clips of its labels")
			}
			if !slices.IsSortedFunc(series[:5], func(a, b sampling.ClipFacts) int { return strings.Compare(a.File, b.File) }) {
				t.Errorf("names are not in the order of the weights: %+v", series)
			}
			mustRegenerate(t, model, slices.Concat(plain, mix, series))
			if arch != "gan" {
				checkLikes(t, data, model, run)
			}
		})
	}
}

// checkTemperatureZero generates without noise, which is not what the model's own temperature gives.
func checkTemperatureZero(t *testing.T, model, out string, usual []byte) {
	t.Helper()
	zero := made(t, "--model", model, "--out", filepath.Join(out, "zero"), "--label", "chirp", "--seed", "40", "--temperature", "0")
	p, _, err := sampling.ReadProvenance(read(t, zero[0].File))
	if err != nil || p.Temperature != sampling.NoNoise || bytes.Equal(read(t, zero[0].File), usual) {
		t.Errorf("temperature 0 gives the default's bytes, or the file does not record it: %+v (%v)", p, err)
	}
	mustRegenerate(t, model, zero)
	for _, wrong := range []string{"-1", "NaN", "10.1"} {
		code, _, stderr := runCLI(t, "generate", "--model", model, "--out", out, "--label", "chirp", "--temperature", wrong)
		if code != exitUsage || !strings.Contains(stderr, "--temperature "+wrong) {
			t.Errorf("--temperature %s: exit code %d, %s", wrong, code, stderr)
		}
	}
}

// checkLikes generates variations of clips and interpolations between them.
func checkLikes(t *testing.T, data, model string, run func(...string) []sampling.ClipFacts) {
	t.Helper()
	a, b := filepath.Join(data, "chirp", "a.wav"), filepath.Join(data, "hihat", "b.wav")
	// Copies that are gone when the clips are made again.
	dir := t.TempDir()
	for _, f := range []*string{&a, &b} {
		to := filepath.Join(dir, filepath.Base(filepath.Dir(*f))+"_"+filepath.Base(*f))
		if err := os.WriteFile(to, read(t, *f), 0o600); err != nil {
			t.Fatal(err)
		}
		*f = to
	}
	variations := run("--like", a, "--like", b, "--strength", "0.25", "--n", "2")
	if len(variations) != 4 || variations[0].Label != "chirp" || *variations[0].Strength != 0.25 || variations[0].Like != "chirp_a.wav" ||
		variations[2].Label != "hihat" || variations[3].Seed != 41 {
		t.Fatalf("variations: %+v", variations)
	}
	as := run("--like", a, "--label", "hihat", "--strength", "0")
	if len(as) != 1 || as[0].Label != "hihat" || *as[0].Strength != 0 {
		t.Fatalf("a clip under another label: %+v", as)
	}
	fresh := run("--like", a, "--strength", "1")
	plain := run("--label", "chirp")
	if fresh[0].Like != "" || !bytes.Equal(read(t, fresh[0].File), read(t, plain[0].File)) {
		t.Errorf("a variation of strength 1 is not a new clip: %+v", fresh)
	}
	between := run("--like", a, "--like", b, "--interpolate", "3")
	if len(between) != 3 || between[1].Mix.Like != "hihat_b.wav" || between[1].Like != "chirp_a.wav" || between[2].Like != "hihat_b.wav" || between[2].Mix != nil {
		t.Fatalf("between two clips: %+v", between)
	}
	half := run("--like", a, "--like", b, "--mix", "0.5")
	if !bytes.Equal(read(t, half[0].File), read(t, between[1].File)) {
		t.Error("half way is not the middle of three")
	}
	toLabel := run("--like", a, "--label", "chirp,hihat", "--mix", "0.5")
	if len(toLabel) != 1 || toLabel[0].Like != "chirp_a.wav" || toLabel[0].Mix.To != "hihat" || toLabel[0].Mix.Like != "" {
		t.Fatalf("from a clip to a label: %+v", toLabel)
	}
	p, _, err := sampling.ReadProvenance(read(t, between[1].File))
	if err != nil || len(p.Like.SHA256) != 64 || len(p.Like.Latent) != 8 || p.Mix.Like.SHA256 == p.Like.SHA256 {
		t.Errorf("what the file says: %+v (%v)", p, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	mustRegenerate(t, model, slices.Concat(variations, as, fresh, between, half, toLabel))
}

// TestLikeTakesItsLabelFromWhereItIsSaid looks at titles, names and folders.
func TestLikeTakesItsLabelFromWhereItIsSaid(t *testing.T) {
	data := recordingsFolder(t, 6)
	model, out := trainSmall(t, data, "vae", 60), t.TempDir()
	chirp := filepath.Join(data, "chirp", "a.wav")
	clip, _, err := wav.Decode(read(t, chirp))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, tags map[string]string) string {
		file := filepath.Join(dir, name)
		if err := wav.WriteFile(file, clip, wav.Options{Tags: tags}); err != nil {
			t.Fatal(err)
		}
		return file
	}
	odd := made(t, "--model", model, "--out", out, "--label", oddLabel)
	for file, want := range map[string]string{
		chirp:                     "chirp", // by its folder
		write("hihat_7.wav", nil): "hihat",
		write("hihat.wav", nil):   "hihat",
		write("x.wav", map[string]string{"INAM": "chirp"}): "chirp",
		odd[0].File: oddLabel, // by its title: names cannot say it
	} {
		got := made(t, "--model", model, "--out", t.TempDir(), "--like", file)
		if len(got) != 1 || got[0].Label != want {
			t.Errorf("%s: %+v, want the label %q", file, got, want)
		}
	}
	code, _, stderr := runCLI(t, "generate", "--model", model, "--out", out, "--like", write("seven_1.wav", nil))
	if code != exitUsage || !strings.Contains(stderr, "(chirp, hihat, ") || !strings.Contains(stderr, "name it with --label") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

func TestGenerateRefuses(t *testing.T) {
	data := recordingsFolder(t, 6)
	vae, gan, out := trainSmall(t, data, "vae", 2), trainSmall(t, data, "gan", 2), filepath.Join(t.TempDir(), "clips")
	a, b := filepath.Join(data, "chirp", "a.wav"), filepath.Join(data, "hihat", "b.wav")
	text := filepath.Join(t.TempDir(), "text.wav")
	if err := os.WriteFile(text, []byte("hello there, nothing to hear"), 0o600); err != nil {
		t.Fatal(err)
	}
	const label, mix = "--label chirp,hihat", "--mix 0.5"
	for args, want := range map[string]string{
		"":                                                "--label is missing",
		label + " --mix 0.5 --interpolate 3":              "--mix is one point between the endpoints, and interpolate is a series",
		label + " --mix 1.5":                              "--mix 1.5",
		label + " --duration 301":                         "--duration 301 s",
		label + " --n 99999999999":                        "--n 99999999999: one run makes 1000000 clips at most",
		"--label all --n 1000000":                         "ask for 333333 or fewer of each label",
		label + " --duration 0":                           "--duration 0 s",
		label + " --note H4":                              `--note "H4"`,
		label + " --note A4 --pitch 440":                  "--pitch and note contradict each other",
		label + " --mix NaN":                              "--mix NaN",
		label + " --interpolate 1":                        "--interpolate 1",
		"--label chirp " + mix:                            "--label names 1 labels",
		"--label all " + mix:                              "--label names 3 labels",
		"--label chirp,horn " + mix:                       `"horn" is unknown; the model knows: chirp, hihat`,
		label + " --strength 0.5":                         "--strength applies to variations of a given clip, and there is none",
		"--like A --strength 1.5":                         "--strength 1.5",
		"--like A --like B --strength 0.5 " + mix:         "not to clips between two endpoints",
		"--like A --like B --like A " + mix:               "--like names 3 clips",
		"--like A " + mix:                                 "with one given clip",
		"--like A --label chirp,hihat":                    "--label names 2 labels for one given clip",
		"--like A --like B --label all":                   "--label names 3 labels for 2 given clips",
		label + " --until-good":                           "--until-good needs a filter",
		label + " --until-good --judge J --interpolate 3": "--until-good and interpolate contradict",
		label + " --confidence 0.9":                       "--confidence is a condition of --until-good",
		label + " --keep-best":                            "--keep-best is a condition of --until-good",
		label + " --judge J --data D":                     "use one of them",
		label + " --labels prefix":                        "--labels says where the labels of --data",
		label + " --until-good --judge J --max-tries 0":   "--max-tries 0",
		label + " --until-good --judge J --confidence 1":  "--confidence 1",
		label + " --until-good --judge J --realness 1":    "--realness 1",
		label + " --until-good --judge J --newness -1":    "--newness -1",
	} {
		full := "generate --model " + vae + " --out " + out + " " + strings.NewReplacer(" A", " "+a, " B", " "+b).Replace(args)
		code, stdout, stderr := runCLI(t, strings.Fields(full)...)
		if code != exitUsage || !strings.Contains(stderr, want) || stdout != "" {
			t.Errorf("%s: exit code %d, stderr lacks %q:\n%s", args, code, want, stderr)
		}
	}
	for args, want := range map[string]string{
		"--model " + gan + " --like " + a:                                 "those of vae, vaegan and flow can",
		"--model " + vae + " --like " + text:                              "text.wav",
		"--model " + vae + " --like absent.wav":                           "absent.wav",
		"--model " + vae + " --like " + a + " --like " + a:                "two different clips would be written",
		"--model " + vae + " --label chirp --judge " + gan:                "holds a gan and no filter",
		"--model " + vae + " --label chirp --judge absent.safetensors":    "absent.safetensors",
		"--model absent.safetensors --label chirp --until-good --judge J": "absent.safetensors",
	} {
		code, stdout, stderr := runCLI(t, strings.Fields("generate --out "+out+" "+args)...)
		if code != exitFailed || !strings.Contains(stderr, want) || stdout != "" {
			t.Errorf("%s: exit code %d, stderr lacks %q:\n%s", args, code, want, stderr)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Errorf("refused, and yet %s was made", out)
	}
}

// TestUntilGood trains a model and a judge for real, and looks at what passes.
func TestUntilGood(t *testing.T) {
	if testing.Short() {
		t.Skip("trains a model and a judge")
	}
	data := recordingsFolder(t, 16)
	model := trainSmall(t, data, "vaegan", 300)
	judge := filepath.Join(t.TempDir(), "judge.safetensors")
	stdout, _ := mustRun(t, "judge", "--data", data, "--model", model, "--out", judge, "--json")
	checkpoint, err := models.Read(model)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := checkpoint.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if r := decodeLines[training.FilterReport](t, stdout); len(r) != 1 || r[0].Recordings != 48 || len(r[0].Labels) != 3 || !slices.Equal(r[0].Discriminators, []string{digest}) {
		t.Errorf("judge --json: %s", stdout)
	}
	if code, _, stderr := runCLI(t, "judge", "--data", data, "--out", judge); code != exitFailed || !strings.Contains(stderr, "--overwrite") {
		t.Errorf("exit code %d, %s", code, stderr)
	}

	ask := func(out string, more ...string) []string {
		return append([]string{"generate", "--model", model, "--judge", judge, "--label", "chirp,hihat", "--seed", "7", "--json", "--out", out}, more...)
	}
	one, two := t.TempDir(), t.TempDir()
	conditions := []string{"--until-good", "--n", "4", "--confidence", "0.6", "--realness", "0.02"}
	code, stdout, stderr := runCLI(t, ask(one, conditions...)...)
	clips := decodeLines[sampling.ClipFacts](t, stdout)
	if code != exitOK {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	tries := map[string]int{}
	for _, c := range clips {
		tries[c.Label] += c.Tries
		if c.Tries < 1 || *c.Confidence < 0.6 || c.Newness == nil || c.Realness == nil || *c.Realness < 0.02 || c.Reason != "" {
			t.Errorf("kept: %+v", c)
		}
	}
	if len(clips) != 8 || len(wavsIn(t, one)) != 8 {
		t.Fatalf("%d clips, %d files", len(clips), len(wavsIn(t, one)))
	}
	for label, n := range tries {
		if !strings.Contains(stderr, fmt.Sprintf("%s: 4 of %d tries passed", label, n)) {
			t.Errorf("%d tries for %s; the summary says otherwise:\n%s", n, label, stderr)
		}
	}
	// Half of them first: the same clips. And each is made again without a judge.
	fewer, _ := mustRun(t, ask(two, "--until-good", "--n", "2", "--confidence", "0.6", "--realness", "0.02")...)
	for i, c := range decodeLines[sampling.ClipFacts](t, fewer) {
		if want := clips[i/2*4+i%2]; c.Seed != want.Seed || !bytes.Equal(read(t, c.File), read(t, want.File)) {
			t.Errorf("clip %d of a shorter series: %+v, want %+v", i, c, want)
		}
	}
	mustRegenerate(t, model, clips)
	checkHopeless(t, ask)
}

// checkHopeless asks for what no clip can be.
func checkHopeless(t *testing.T, ask func(string, ...string) []string) {
	t.Helper()
	out := t.TempDir()
	code, stdout, stderr := runCLI(t, ask(out, "--until-good", "--n", "2", "--newness", "9", "--max-tries", "3")...)
	clips := decodeLines[sampling.ClipFacts](t, stdout)
	if code != exitFailed || len(clips) != 4 || len(wavsIn(t, out)) != 0 || !strings.Contains(stderr, "4 of 4 clips are missing") ||
		!strings.Contains(stderr, "chirp: 0 of 6 tries passed (0 %)") {
		t.Errorf("exit code %d, %d clips, %s", code, len(clips), stderr)
	}
	for _, c := range clips {
		if c.File != "" || c.Tries != 3 || c.Reason == "" {
			t.Errorf("failed: %+v", c)
		}
	}
	code, stdout, stderr = runCLI(t, ask(out, "--until-good", "--n", "2", "--newness", "9", "--max-tries", "3", "--keep-best")...)
	clips = decodeLines[sampling.ClipFacts](t, stdout)
	if code != exitOK || len(clips) != 4 || len(wavsIn(t, out)) != 4 || !strings.Contains(stderr, "2 clips did not pass and are kept") {
		t.Errorf("exit code %d, %d clips, %s", code, len(clips), stderr)
	}
	// A judge that only listens refuses nothing.
	listened, _ := mustRun(t, ask(t.TempDir(), "--n", "2")...)
	for _, c := range decodeLines[sampling.ClipFacts](t, listened) {
		if c.File == "" || c.Confidence == nil || c.Realness == nil || c.Tries != 0 {
			t.Errorf("listened to: %+v", c)
		}
	}
}

// TestUntilGoodWithData trains the judge on the spot, for a model without a discriminator.
func TestUntilGoodWithData(t *testing.T) {
	data := recordingsFolder(t, 6)
	model := trainSmall(t, data, "vae", 30)
	base := []string{"generate", "--model", model, "--data", data, "--label", "chirp", "--out", t.TempDir(), "--json", "--until-good", "--confidence", "0", "--newness", "0"}
	stdout, stderr := mustRun(t, append(base, "--label", "chirp,hihat", "--mix", "0.5", "--max-tries", "50", "--keep-best")...)
	if c := decodeLines[sampling.ClipFacts](t, stdout); len(c) != 1 || c[0].Realness != nil || c[0].Confidence == nil || c[0].Tries == 0 {
		t.Errorf("a mix: %s\n%s", stdout, stderr)
	}
	if code, _, stderr := runCLI(t, append(base, "--realness", "0.1")...); code != exitFailed || !strings.Contains(stderr, "--realness: the checkpoint holds no discriminator") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

func TestJudgeRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"judge":                "--data is missing",
		"judge --data d":       "--out is missing",
		"judge --data d extra": "extra",
	} {
		if code, _, stderr := runCLI(t, strings.Fields(args)...); code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %s", args, code, stderr)
		}
	}
}

// TestBenchGenerate asks that the stages are parts of the whole, whatever they take.
func TestBenchGenerate(t *testing.T) {
	data := recordingsFolder(t, 6)
	model := trainSmall(t, data, "vae", 2)
	stdout, _ := mustRun(t, "bench", "generate", "--model", model, "--clips", "20", "--json")
	r := decodeLines[benchmark.Generation](t, stdout)
	if len(r) != 1 || r[0].Clips != 20 || r[0].PerSec <= 0 || r[0].Seconds <= 0 || r[0].Arch != "vae" {
		t.Fatalf("%s", stdout)
	}
	for _, s := range []benchmark.StageTime{r[0].Network, r[0].Phase, r[0].WAV} {
		if !(s.P50 > 0 && s.P50 <= s.P95 && s.P95 <= s.P99 && s.P50 < r[0].All.P50) {
			t.Errorf("%+v of %+v", s, r[0].All)
		}
	}
	for args, want := range map[string]string{
		"bench generate":                            "--model is missing",
		"bench generate --model m --clips 0":        "--clips 0",
		"bench generate --model m --workers 0":      "--workers 0",
		"bench generate --label x --model " + model: `"x" is unknown`,
	} {
		if code, _, stderr := runCLI(t, strings.Fields(args)...); code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %s", args, code, stderr)
		}
	}
}

// TestBenchGenerateSilence asks that silent clips are counted and not timed, and that a model of nothing else is refused.
func TestBenchGenerateSilence(t *testing.T) {
	model := trainSmall(t, recordingsFolder(t, 6), "gan", 2)
	c, err := models.Read(model)
	if err != nil {
		t.Fatal(err)
	}
	correction, err := c.Tensor("correction")
	if err != nil {
		t.Fatal(err)
	}
	silence := func(values []float32) string {
		for i := range values {
			values[i] = -100 // before the tanh
		}
		file := filepath.Join(t.TempDir(), "silent.safetensors")
		if err := c.Write(file); err != nil {
			t.Fatal(err)
		}
		return file
	}

	some := silence(correction.Data[:len(correction.Data)/len(c.Labels)])
	stdout, _ := mustRun(t, "bench", "generate", "--model", some, "--label", c.Labels[0]+","+c.Labels[1], "--clips", "10", "--json")
	r := decodeLines[benchmark.Generation](t, stdout)
	if len(r) != 1 || r[0].Clips != 10 || r[0].Silent != 5 || !(r[0].All.P50 > 0) || !(r[0].Seconds > 0) {
		t.Errorf("one of two labels silent: %s", stdout)
	}
	if stdout, _ := mustRun(t, "bench", "generate", "--model", some, "--clips", strconv.Itoa(len(c.Labels))); !strings.Contains(stdout, "1 clips were silent") {
		t.Errorf("%s", stdout)
	}

	if code, _, stderr := runCLI(t, "bench", "generate", "--model", silence(correction.Data), "--clips", "4"); code == 0 || !strings.Contains(stderr, "are silent") {
		t.Errorf("nothing but silence: exit code %d, %s", code, stderr)
	}
}
