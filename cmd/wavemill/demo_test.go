package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	goaudiowav "github.com/go-audio/wav"

	"github.com/spf13/pflag"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/audio/synth"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/monitor"
	"wavemill/models/sampling"
	"wavemill/models/training"
	"wavemill/operators/demo"
	"wavemill/pipeline"
	"wavemill/pipeline/server"
)

// oddLabel has all that a NATS subject and a file name do not like.
const oddLabel = "kick. * drum >1"

// quickSteps is how long the tests' demos train: enough to be interrupted on the way, not enough to learn much.
const quickSteps = 16

// recordingsFolder writes a small labelled set at 8 kHz: n clips of each of three labels, one of them odd.
func recordingsFolder(t *testing.T, n uint64) string {
	t.Helper()
	dir := t.TempDir()
	for label, class := range map[string]string{oddLabel: "kick", "chirp": "chirp", "hihat": "hihat"} {
		if err := os.Mkdir(filepath.Join(dir, label), 0o755); err != nil {
			t.Fatal(err)
		}
		for seed := range n {
			if err := wav.WriteFile(filepath.Join(dir, label, string(rune('a'+seed))+".wav"), shortClip(t, class, seed), wav.Options{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// shortClip is the beginning of a sound at 8 kHz: what is trained and evaluated with it takes a third of the time.
func shortClip(t *testing.T, class string, seed uint64) audio.Clip {
	t.Helper()
	c, err := synth.Clip(class, seed, 8000)
	if err != nil {
		t.Fatal(err)
	}
	const length, fade = 2400, 400
	c.Samples = c.Samples[:length]
	for i := range fade {
		c.Samples[length-1-i] *= float32(i) / fade
	}
	return c
}

// addBadInput puts beside the good recordings what users' folders hold: five files that cannot be used, one in another
// format, one cut short, and one that is no recording at all.
func addBadInput(t *testing.T, dir string) {
	t.Helper()
	good, err := os.ReadFile(filepath.Join(dir, "chirp", "a.wav"))
	if err != nil {
		t.Fatal(err)
	}
	huge := slices.Clone(good[:44])
	binary.LittleEndian.PutUint32(huge[4:], math.MaxUint32)
	binary.LittleEndian.PutUint32(huge[40:], math.MaxUint32-8)
	stereo, err := synth.Clip("chirp", 99, 44100)
	if err != nil {
		t.Fatal(err)
	}
	stereo.Samples, stereo.Channels = stereo.Samples[:len(stereo.Samples)/2*2], 2
	encoded, err := wav.Encode(stereo, wav.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"chirp/text.wav":      []byte("this is a text, whatever its name says\n"),
		"chirp/empty.wav":     nil,
		"chirp/headless.wav":  good[:20],
		"chirp/huge.wav":      huge,
		"chirp/silent.wav":    append(slices.Clone(good[:44]), make([]byte, len(good)-44)...),
		"chirp/cut-short.wav": good[:len(good)/2],
		"chirp/stereo.wav":    encoded,
		"README.md":           []byte("# recordings\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// quickDemo runs a demo of few steps in this process and returns its summary and what it said on standard error.
func quickDemo(t *testing.T, o demoOptions, change func(*demoOptions)) (demo.Summary, string, error) {
	t.Helper()
	var out, errOut bytes.Buffer
	a := &app{in: strings.NewReader(""), out: &out, err: &errOut, logFormat: "text", logLevel: "info", progressMode: "lines"}
	if err := a.setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	if o.out == "" {
		o.out = filepath.Join(t.TempDir(), "demo")
	}
	o.steps, o.seed, o.arch, o.perLabel, o.asJSON, o.classifierEpochs = quickSteps, 3, "vae", 2, true, 2
	o.operators, o.flags = quickOperators, demoFlags(t)
	ctx := t.Context()
	if change != nil {
		change(&o)
	}
	err := a.demo(ctx, o)
	var s demo.Summary
	if err == nil {
		if err := json.Unmarshal(out.Bytes(), &s); err != nil {
			t.Fatalf("the summary is not one line of JSON: %v\n%s", err, out.String())
		}
	}
	return s, errOut.String(), err
}

// quickOperators are the operators, of which the trainer measures a few clips at each save, not hundreds: that takes longer than
// so short a training.
func quickOperators(h demo.Hooks) pipeline.Registry {
	h.Train.NewEvaluator = quickEvaluator
	return operators(h)
}

// quickEvaluator is the train operator's usual evaluator with few clips.
func quickEvaluator(set training.Set, seed uint64) (training.Evaluator, error) {
	m, err := monitor.New(set.Train, set.Validation, set.Labels, set.FrontEnd, monitor.Options{Seed: seed, Clips: 24})
	if err != nil {
		return nil, err
	}
	return m.Evaluate, nil
}

// wavsIn reads the WAV files of a folder by name.
func wavsIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.wav"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(name)] = string(data)
	}
	return out
}

func TestDemoWithBadInput(t *testing.T) {
	data := recordingsFolder(t, 12)
	addBadInput(t, data)
	s, stderr, err := quickDemo(t, demoOptions{data: []string{data}}, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	if want := []string{"chirp", "hihat", oddLabel}; !slices.Equal(s.Labels, want) {
		t.Errorf("labels %q, want %q", s.Labels, want)
	}
	if s.Recordings != 38 || s.DeadLetters != 5 || s.Skipped != 1 || s.Clips != 6 || s.Steps != quickSteps || s.Heard == nil || s.HeldOut == nil {
		t.Errorf("summary %+v; want 36 recordings and the two odd ones, 5 dead letters, 1 skipped, 6 clips", s)
	}
	for _, want := range []string{"README.md", "1 recording is resampled from 44100 to 8000 Hz", "1 recording is mixed down", "1 recording is truncated"} {
		if strings.Count(stderr, want) != 1 {
			t.Errorf("%q is said %d times, want once:\n%s", want, strings.Count(stderr, want), stderr)
		}
	}
	checkClips(t, s)
	checkReport(t, s)
	checkPipelineFile(t, s)
}

// checkClips holds every WAV against clips.jsonl, the checkpoint, and a WAV reader of another library.
func checkClips(t *testing.T, s demo.Summary) {
	t.Helper()
	checkpoint, err := models.Read(s.Model)
	if err != nil {
		t.Fatal(err)
	}
	if digest, err := checkpoint.Digest(); err != nil || digest != s.Digest {
		t.Errorf("digest %s of the checkpoint, %s in the summary (%v)", digest, s.Digest, err)
	}
	text, err := os.ReadFile(filepath.Join(s.Out, demo.ClipsFile))
	if err != nil {
		t.Fatal(err)
	}
	files := wavsIn(t, s.Out)
	perLabel := map[string]int{}
	for line := range strings.Lines(string(text)) {
		var clip demo.Clip
		if err := json.Unmarshal([]byte(line), &clip); err != nil {
			t.Fatal(err)
		}
		perLabel[clip.Label]++
		if !strings.HasPrefix(clip.File, dataset.FileSlug(clip.Label)+"_") || clip.Model != s.Digest || clip.Confidence == nil || clip.Heard == "" {
			t.Errorf("clip %+v", clip)
		}
		data := files[clip.File]
		sound, header, err := wav.Decode([]byte(data))
		if err != nil {
			t.Fatalf("%s: %v", clip.File, err)
		}
		var p sampling.Provenance
		if err := json.Unmarshal([]byte(header.Tags["ICMT"]), &p); err != nil || p.Model != s.Digest || p.Seed != clip.Seed || p.Label != clip.Label || header.Tags["INAM"] != clip.Label {
			t.Errorf("%s says of itself %v (%v)", clip.File, header.Tags, err)
		}
		if sound.Rate != 8000 || sound.Channels != 1 || sound.Peak() < 0.001 || sound.Peak() >= 1 {
			t.Errorf("%s: %d Hz, %d channels, peak %v", clip.File, sound.Rate, sound.Channels, sound.Peak())
		}
		other := goaudiowav.NewDecoder(bytes.NewReader([]byte(data)))
		if buf, err := other.FullPCMBuffer(); err != nil || len(buf.Data) != sound.Frames() {
			t.Errorf("%s: go-audio reads it otherwise: %v", clip.File, err)
		}
	}
	if len(files) != s.Clips || perLabel[oddLabel] != 2 || perLabel["chirp"] != 2 {
		t.Errorf("%d files, by label %v", len(files), perLabel)
	}
}

func checkReport(t *testing.T, s demo.Summary) {
	t.Helper()
	page, err := os.ReadFile(s.Report)
	if err != nil {
		t.Fatal(err)
	}
	if m := regexp.MustCompile(`(?i)(?:src|href)="([^d][^"]*)"|https?:`).FindString(string(page)); m != "" {
		t.Errorf("the report refers to %s", m)
	}
	const realShown = 4 // of each label
	if n := strings.Count(string(page), "data:audio/wav;base64,"); n != s.Clips+3*realShown {
		t.Errorf("%d players, want %d", n, s.Clips+3*realShown)
	}
	for _, want := range []string{s.Digest, "kick. * drum &gt;1", "chirp/text.wav", "chirp/huge.wav", "<polyline", "the file is empty"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
}

// checkPipelineFile runs the pipeline file that the demo leaves: it serves the very model, without training anew.
func checkPipelineFile(t *testing.T, s demo.Summary) {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var used, trained bool
	logs := writerFunc(func(p []byte) (int, error) {
		var entry struct{ Msg, Digest string }
		if json.Unmarshal(p, &entry) == nil {
			used = used || entry.Msg == "model in use" && entry.Digest != "" && strings.HasPrefix(s.Digest, entry.Digest)
			trained = trained || entry.Msg == "the model is trained already" && entry.Digest == s.Digest
			if entry.Msg == "training" {
				t.Error("the model is trained anew")
				interrupt()
			}
		}
		if used && trained {
			interrupt()
		}
		return len(p), nil
	})
	args := []string{"up", "-f", filepath.Join(s.Out, demo.PipelineFile), "--listen", "127.0.0.1:0", "--log", "json"}
	if code := execute(ctx, args, strings.NewReader(""), io.Discard, logs); code != exitOK || !used || !trained {
		t.Errorf("exit code %d, model in use %t, taken as trained %t", code, used, trained)
	}
}

// TestSameStepsSameBytes runs one demo straight through, in a folder where another one has been, and one that is
// interrupted after two steps and gone on with: all leave the same clips.
func TestSameStepsSameBytes(t *testing.T) {
	data := recordingsFolder(t, 12)
	first, stderr, err := quickDemo(t, demoOptions{data: []string{data}}, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	want := wavsIn(t, first.Out)

	again := filepath.Join(t.TempDir(), "demo")
	if _, _, err := quickDemo(t, demoOptions{data: []string{data}, out: again}, func(o *demoOptions) { o.steps, o.seed, o.perLabel = 2, 9, 1 }); err != nil {
		t.Fatal(err)
	}
	if _, stderr, err = quickDemo(t, demoOptions{data: []string{data}, out: again}, nil); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	if got := wavsIn(t, again); !maps.Equal(got, want) {
		t.Errorf("a second run has other clips: %v and %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}

	stopped := filepath.Join(t.TempDir(), "demo")
	interruptDemo(t, demoOptions{data: []string{data}, out: stopped}, 2)
	if c, err := models.Read(filepath.Join(stopped, demo.ModelFile)); err != nil || c.Step < 2 || c.Step >= quickSteps {
		t.Errorf("the interrupted demo leaves a checkpoint of step %d (%v)", c.Step, err)
	}
	if _, stderr, err = quickDemo(t, demoOptions{data: []string{data}, out: stopped}, nil); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	if !strings.Contains(stderr, "going on where this demo was interrupted") {
		t.Errorf("it does not say that it goes on:\n%s", stderr)
	}
	if got := wavsIn(t, stopped); !maps.Equal(got, want) {
		t.Error("an interrupted run has other clips")
	}
}

// interruptDemo cancels a demo as Ctrl-C does once the training has made so many steps.
func interruptDemo(t *testing.T, o demoOptions, step int64) {
	t.Helper()
	var errOut bytes.Buffer
	a := &app{in: strings.NewReader(""), out: io.Discard, err: &errOut, logFormat: "text", logLevel: "info", progressMode: "off"}
	if err := a.setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.steps, o.seed, o.arch, o.perLabel, o.classifierEpochs = quickSteps, 3, "vae", 2, 2
	o.operators = func(h demo.Hooks) pipeline.Registry {
		show := h.Train.OnProgress
		h.Train.OnProgress = func(name string, p models.Progress) {
			show(name, p)
			if p.Step >= step {
				cancel()
				// The steps after the Ctrl-C are slow, so that the operators have stopped before the last of them.
				<-time.After(100 * time.Millisecond)
			}
		}
		return quickOperators(h)
	}
	o.flags = demoFlags(t, "--data", o.data[0])
	err := a.demo(ctx, o)
	if err == nil || !strings.Contains(err.Error(), "wavemill demo --data") || !strings.Contains(err.Error(), "interrupted at step") {
		t.Fatalf("an interrupted demo says %v", err)
	}
}

// TestDemoHoldsOutGroups: a held-out speaker is not learnt from, and is what the figures are measured on.
func TestDemoHoldsOutGroups(t *testing.T) {
	data := t.TempDir()
	for label, class := range map[string]string{"low": "kick", "high": "hihat"} {
		for i, speaker := range []string{"ada", "bob", "theo"} {
			for n := range uint64(3) {
				c, err := synth.Clip(class, uint64(10*i)+n, 8000)
				if err != nil {
					t.Fatal(err)
				}
				name := label + "_" + speaker + "_" + string(rune('0'+n)) + ".wav"
				if err := wav.WriteFile(filepath.Join(data, name), c, wav.Options{}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	o := demoOptions{data: []string{data}, labels: "{label}_{speaker}_{n}", holdoutFlags: holdoutFlags{group: "speaker", out: []string{"speaker=theo"}}}
	s, stderr, err := quickDemo(t, o, func(o *demoOptions) { o.steps, o.perLabel = 2, 1 })
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	c, err := models.Read(s.Model)
	if err != nil {
		t.Fatal(err)
	}
	if c.Data == nil || len(c.Data.Learnt) == 0 || c.Data.Group != "speaker" {
		t.Fatalf("the checkpoint records %+v", c.Data)
	}
	for _, r := range slices.Concat(c.Data.Learnt, c.Data.Chosen) {
		if r.Group != "ada" && r.Group != "bob" {
			t.Errorf("%s of group %q was learnt from", r.Source, r.Group)
		}
	}
	theo := 0
	for _, h := range s.HeldOutList {
		if strings.Contains(h.Source, "_theo_") {
			theo++
		}
	}
	if theo != 6 || !s.HeldOutTrusted || s.HeldOutInterval == nil || !s.HeldOutInterval.Holds(*s.HeldOut) {
		t.Errorf("%d recordings of theo are held out, want 6; summary %+v", theo, s)
	}
}

func TestDemoOnAnotherServer(t *testing.T) {
	s, err := server.Start(t.Context(), server.Config{DataDir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown()
	data := recordingsFolder(t, 6)
	var digests []string
	// The second time the model is on the server already.
	for range 2 {
		sum, stderr, err := quickDemo(t, demoOptions{data: []string{data}, url: s.URL()}, func(o *demoOptions) { o.steps = 2 })
		if err != nil {
			t.Fatalf("%v\n%s", err, stderr)
		}
		if sum.Clips != 6 || len(wavsIn(t, sum.Out)) != 6 {
			t.Errorf("%d clips", sum.Clips)
		}
		digests = append(digests, sum.Digest)
	}
	if digests[0] != digests[1] {
		t.Errorf("the same demo on one server: digests %v", digests)
	}
}

func TestDemoRefusesAFolderOfOthers(t *testing.T) {
	out := t.TempDir()
	if err := os.Mkdir(filepath.Join(out, demo.BusDir), 0o755); err != nil {
		t.Fatal(err)
	}
	_, _, err := quickDemo(t, demoOptions{data: []string{recordingsFolder(t, 2)}, out: out}, nil)
	if err == nil || !strings.Contains(err.Error(), "choose another folder") {
		t.Errorf("a bus that no demo has made: %v", err)
	}
}

func TestDemoCommandRepeatsTheFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{
			[]string{"--data", "my data", "--out", "run 1", "--budget", "3m", "--seed", "7", "--per-label", "4", "--json"},
			"wavemill demo --budget 3m0s --data 'my data' --out 'run 1' --per-label 4 --seed 7",
		},
		{nil, "wavemill demo"},
		{[]string{"--data", "d", "--data", "e", "--group", "kit", "--hold-out", "kit=909 b"}, "wavemill demo --data d --data e --group kit --hold-out 'kit=909 b'"},
	} {
		o := demoOptions{flags: demoFlags(t, c.args...)}
		if got := o.command(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

// demoFlags are the flags of a demo's command line.
func demoFlags(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	f := newDemo(&app{}).Flags()
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	return f
}
