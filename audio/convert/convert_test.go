package convert

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wavemill/audio"
	"wavemill/audio/codec"
	"wavemill/audio/codec/flactest"
	"wavemill/audio/dataset"
	"wavemill/audio/spectrogram"
	"wavemill/audio/wav"
	"wavemill/internal/allocation"
	"wavemill/internal/filelock"
)

// chirp is a clip that no other index shares, i*37 frames longer than a quarter of a second.
func chirp(i, rate, channels int) audio.Clip {
	n := rate/4 + 37*i
	c := audio.Clip{Samples: make([]float32, n*channels), Channels: channels, Rate: rate}
	for k := range c.Samples {
		t := float64(k/channels) / float64(rate)
		c.Samples[k] = float32(0.5 * math.Sin(2*math.Pi*(200+20*float64(i)+800*t)*t+float64(k%channels)))
	}
	return c
}

func writeWAV(t *testing.T, path string, c audio.Clip) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	b, err := wav.Encode(c, wav.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// corpus is a folder of n labelled recordings at 8 kHz.
func corpus(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		writeWAV(t, filepath.Join(dir, fmt.Sprintf("%d_x_%d.wav", i%3, i)), chirp(i, 8000, 1))
	}
	return dir
}

func run(t *testing.T, o Options) Summary {
	t.Helper()
	s, err := Run(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// files reads a folder, all below it.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(rel)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// small is a config with few bins.
func small(rate int) spectrogram.Config {
	c := spectrogram.Default(rate)
	c.NFFT, c.Hop, c.Mels = 256, 64, 20
	return c
}

func TestToShards(t *testing.T) {
	dir, out := corpus(t, 30), t.TempDir()
	writeWAV(t, filepath.Join(dir, "1_stereo_44.wav"), chirp(5, 44100, 2))
	flac, err := flactest.Encode(chirp(6, 8000, 1), flactest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"2_y_0.flac": flac, "README.md": []byte("# hi"), "0_bad_0.wav": []byte("RIFF\x04\x00\x00\x00WAVE"), "0_empty_0.wav": nil} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var reports []Progress
	s, err := Run(t.Context(), Options{Sources: []string{dir}, Out: out, Config: small, ShardBytes: 20000}, func(p Progress) { reports = append(reports, p) })
	if err != nil {
		t.Fatal(err)
	}
	if s.Files != 34 || s.Converted != 32 || s.Skipped != 3 || s.AlreadyDone != 0 || s.SampleRate != 8000 || s.Labels["0"] != 10 || s.Labels["1"] != 11 || s.Labels["2"] != 11 || s.LabelSource != "file name up to the first _" {
		t.Errorf("%+v", s)
	}
	if last := reports[len(reports)-1]; last.Done != 34 || last.Total != 34 || last.Skipped != 3 || last.Left != 0 || last.Rate <= 0 || math.Abs(last.Seconds-s.Seconds) > 1e-9 {
		t.Errorf("the last report is %+v", last)
	}
	skipped := files(t, out)[SkippedName]
	want := fmt.Sprintf("{\"path\":%q,\"reason\":\"wav: the file has no fmt chunk\"}\n{\"path\":%q,\"reason\":\"the file is empty\"}\n{\"path\":%q,\"reason\":\"not a known audio file name\"}\n",
		filepath.Join(dir, "0_bad_0.wav"), filepath.Join(dir, "0_empty_0.wav"), filepath.Join(dir, "README.md"))
	if diff := cmp.Diff(want, skipped); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
	shards, err := dataset.OpenShards(out)
	if err != nil {
		t.Fatal(err)
	}
	transform, err := spectrogram.New(small(8000))
	if err != nil {
		t.Fatal(err)
	}
	rows, names := int64(0), map[string]bool{}
	for _, e := range shards.Entries() {
		names[e.Shard] = true
		clip, _, err := codec.DecodeFile(t.Context(), filepath.Join(dir, e.Source))
		if err != nil {
			t.Fatal(err)
		}
		if clip, err = audio.Resample(clip.Mono(), 8000); err != nil {
			t.Fatal(err)
		}
		want, err := transform.Forward(nil, clip.Samples)
		if err != nil {
			t.Fatal(err)
		}
		got, err := shards.Read(e)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want.Data) || e.Samples != int64(clip.Frames()) || e.Label != e.Source[:1] {
			t.Errorf("%+v: other rows than by hand", e)
		}
		rows += int64(e.Frames)
	}
	if len(shards.Entries()) != 32 || rows != s.Rows || len(names) < 3 {
		t.Errorf("%d entries of %d rows in %d shards, %+v", len(shards.Entries()), rows, len(names), s)
	}
}

// TestWorkersChangeNothing compares the results of one worker with those of many.
func TestWorkersChangeNothing(t *testing.T) {
	dir := corpus(t, 40)
	for _, to := range Targets() {
		var want map[string]string
		for _, workers := range []int{1, 7} {
			out := t.TempDir()
			run(t, Options{Sources: []string{dir}, Out: out, To: to, Config: small, Workers: workers, ShardBytes: 20000})
			got := files(t, out)
			if want == nil {
				want = got
			}
			if len(got) < 5 || !cmp.Equal(want, got) {
				t.Errorf("%s with %d workers makes other files: %d, not %d", to, workers, len(got), len(want))
			}
		}
	}
}

// TestLong puts a recording through as a stream and compares with the whole at once.
func TestLong(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	long := chirp(0, 44100, 2)
	for len(long.Samples) < 1_500_000 {
		long.Samples = append(long.Samples, long.Samples...)
	}
	writeWAV(t, filepath.Join(dir, "0_a.wav"), chirp(1, 44100, 2))
	writeWAV(t, filepath.Join(dir, "0_long.wav"), long)
	writeWAV(t, filepath.Join(dir, "1_b.wav"), chirp(2, 44100, 2))
	config := func(rate int) spectrogram.Config {
		c := small(rate)
		c.Mels = 128 // Some 30 bytes for each sample: the rows are written as they come.
		c.NFFT, c.Hop = 512, 16
		return c
	}
	s := run(t, Options{Sources: []string{dir}, Out: out, Rate: 16000, Config: config})
	if s.Converted != 3 {
		t.Fatalf("%+v", s)
	}
	shards, err := dataset.OpenShards(out)
	if err != nil {
		t.Fatal(err)
	}
	transform, err := spectrogram.New(config(16000))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range shards.Entries() {
		clip, _, err := codec.DecodeFile(t.Context(), filepath.Join(dir, e.Source))
		if err != nil {
			t.Fatal(err)
		}
		if clip, err = audio.Resample(clip.Mono(), 16000); err != nil {
			t.Fatal(err)
		}
		want, err := transform.Forward(nil, clip.Samples)
		if err != nil {
			t.Fatal(err)
		}
		got, err := shards.Read(e)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want.Data) {
			t.Errorf("%s: %d values, %d at once, or others", e.Source, len(got), len(want.Data))
		}
	}
}

// TestStopped cancels conversions half-way, several times, and compares with one that was not.
func TestStopped(t *testing.T) {
	dir := corpus(t, 60)
	for _, to := range Targets() {
		t.Run(string(to), func(t *testing.T) {
			whole, out := t.TempDir(), t.TempDir()
			o := Options{Sources: []string{dir}, To: to, Config: small, ShardBytes: 20000, Workers: 2}
			o.Out = whole
			run(t, o)
			o.Out = out
			stops := 0
			for at := 0; ; {
				ctx, cancel := context.WithCancel(t.Context())
				m := 0
				s, err := Run(ctx, o, func(p Progress) {
					if m++; m == 1 && stops < 3 {
						cancel()
					}
				})
				cancel()
				if s.AlreadyDone < at {
					t.Fatalf("%d files were done, and now only %d are", at, s.AlreadyDone)
				}
				at = s.AlreadyDone + s.Converted
				if err == nil {
					break
				}
				if stops++; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "goes on from there") {
					t.Fatal(err)
				}
				if to != NPY && (len(files(t, filepath.Join(out)))-3 != at) {
					t.Errorf("%d files are there, %d were done", len(files(t, out))-3, at)
				}
			}
			if stops == 0 {
				t.Error("it was never stopped")
			}
			if diff := cmp.Diff(slices.Sorted(keys(files(t, whole))), slices.Sorted(keys(files(t, out)))); diff != "" {
				t.Errorf("files (-whole +stopped):\n%s", diff)
			}
			if !cmp.Equal(files(t, whole), files(t, out)) {
				t.Error("a stopped conversion makes other files")
			}
			before := files(t, out)
			if s := run(t, o); s.Converted != 0 || s.AlreadyDone != 60 || !cmp.Equal(before, files(t, out)) {
				t.Errorf("once more: %+v", s)
			}
		})
	}
}

func keys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// TestMain runs a conversion instead of the tests when it is started as a child.
// peakLine begins the last line of a child's output on Linux: the most memory that it had, in bytes.
const peakLine = "peak "

func TestMain(m *testing.M) {
	if spec := os.Getenv("CONVERT_CHILD"); spec != "" {
		var o Options
		if err := json.Unmarshal([]byte(spec), &struct{ *Options }{&o}); err != nil {
			fmt.Println(err)
			os.Exit(2)
		}
		if os.Getenv("CONVERT_SMALL") != "" {
			o.Config = small
		}
		s, err := Run(context.Background(), o, nil)
		fmt.Printf("%+v %v\n", s, err)
		if err != nil {
			os.Exit(1)
		}
		if runtime.GOOS == "linux" {
			peak, err := allocation.Peak()
			if err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
			fmt.Printf("%s%d\n", peakLine, peak)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child is a process that runs a conversion.
func child(t *testing.T, o Options) *exec.Cmd {
	t.Helper()
	spec, err := json.Marshal(map[string]any{"Sources": o.Sources, "Out": o.Out, "To": o.To, "Workers": o.Workers, "ShardBytes": o.ShardBytes, "Rate": o.Rate})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "CONVERT_CHILD="+string(spec))
	if o.Config != nil {
		cmd.Env = append(cmd.Env, "CONVERT_SMALL=1")
	}
	return cmd
}

// TestKilled kills the process again and again, at any moment: no result is ever there that is not
// whole, and in the end all are what they are without a kill.
func TestKilled(t *testing.T) {
	if runtime.GOOS == "windows" || testing.Short() {
		t.Skip("starts and kills processes")
	}
	dir := corpus(t, 300)
	for _, to := range Targets() {
		t.Run(string(to), func(t *testing.T) {
			whole, out := t.TempDir(), t.TempDir()
			o := Options{Sources: []string{dir}, Out: whole, To: to, Config: small, ShardBytes: 50000, Workers: 2}
			run(t, o)
			want := files(t, whole)
			o.Out = out
			kills := 0
			for wait := time.Millisecond; ; wait += 7 * time.Millisecond {
				cmd := child(t, o)
				var said bytes.Buffer
				cmd.Stdout = &said
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				time.AfterFunc(wait, func() { _ = cmd.Process.Kill() }) // Too late is as good.
				err := cmd.Wait()
				for name, text := range files(t, out) {
					final := strings.HasSuffix(name, ".npy") || strings.HasSuffix(name, "."+string(to))
					if final && !strings.HasPrefix(name, partialName) && text != want[name] {
						t.Fatalf("after %d kills %s is there and not whole: %d bytes, not %d", kills, name, len(text), len(want[name]))
					}
				}
				if err == nil {
					break
				}
				if cmd.ProcessState.Exited() {
					t.Fatalf("it failed: %s", said.String())
				}
				kills++
			}
			if kills < 3 {
				t.Errorf("it was killed only %d times", kills)
			}
			if got := files(t, out); !cmp.Equal(want, got) {
				t.Errorf("after %d kills: %s", kills, cmp.Diff(slices.Sorted(keys(want)), slices.Sorted(keys(got))))
			}
		})
	}
}

// TestMemory converts an hour of 48 kHz stereo in a process of its own and looks at the most memory
// that it ever had.
func TestMemory(t *testing.T) {
	if runtime.GOOS != "linux" || testing.Short() {
		t.Skip("measures a process's memory on Linux, with an hour of sound")
	}
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "0_hour.wav"))
	if err != nil {
		t.Fatal(err)
	}
	const size = 3600 * 48000 * 4
	head, err := wav.Encode(audio.Clip{Channels: 2, Rate: 48000}, wav.Options{})
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(head[4:], uint32(len(head)-8+size))
	binary.LittleEndian.PutUint32(head[len(head)-4:], size)
	if _, err := f.Write(head); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(int64(len(head)+size)), f.Close()); err != nil { // A hole: zeros that take no disk.
		t.Fatal(err)
	}
	for _, to := range Targets() {
		cmd := child(t, Options{Sources: []string{dir}, Out: t.TempDir(), To: to, Rate: map[Target]int{WAV: 8000}[to]})
		begin := time.Now()
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %s", err, out)
		}
		_, last, _ := strings.Cut(string(out), "\n"+peakLine)
		peak, err := strconv.ParseUint(strings.TrimSpace(last), 10, 64)
		if err != nil {
			t.Fatalf("%s: no figure of memory in %q", to, out)
		}
		const limit = 200 << 20
		if t.Logf("%s: %d MiB at most, %v", to, peak>>20, time.Since(begin)); peak > limit {
			t.Errorf("%s of an hour took %d MiB", to, peak>>20)
		}
	}
}

func TestToPNG(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	writeWAV(t, filepath.Join(dir, "cat", "1.wav"), chirp(1, 8000, 1))
	writeWAV(t, filepath.Join(dir, "dog", "1.wav"), chirp(2, 8000, 1))
	s := run(t, Options{Sources: []string{dir}, Out: out, To: PNG})
	if s.Converted != 2 || s.Labels["cat"] != 1 || s.Config == nil {
		t.Errorf("%+v", s)
	}
	got := files(t, out)
	if diff := cmp.Diff([]string{"cat/1.png", "convert.json", "dog/1.png", "labels.csv", "skipped.jsonl"}, slices.Sorted(keys(got))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("file,label,group\ncat/1.png,cat,\ndog/1.png,dog,\n", got[LabelsName]); diff != "" {
		t.Error(diff)
	}
	if _, err := png.Decode(strings.NewReader(got["cat/1.png"])); err != nil {
		t.Error(err)
	}
	// A picture that a power failure cut is made again, the other one is not.
	cut := filepath.Join(out, "cat", "1.png")
	if err := os.Truncate(cut, int64(len(got["cat/1.png"])/2)); err != nil {
		t.Fatal(err)
	}
	if s := run(t, Options{Sources: []string{dir}, Out: out, To: PNG}); s.Converted != 1 || s.AlreadyDone != 1 || !cmp.Equal(got, files(t, out)) {
		t.Errorf("after a cut: %+v", s)
	}
}

func TestColumns(t *testing.T) {
	for _, n := range []int{1, maxColumns, maxColumns + 1, 3*maxColumns + 7, 20 * maxColumns} {
		c := columns{bins: 2}
		for i := range n {
			c.add([]float32{float32(i), -float32(i)})
		}
		if got := len(c.data) / 2; got > maxColumns || got*c.each < n || (got-1)*c.each >= n || c.total != int64(n) {
			t.Errorf("%d frames: %d columns of %d", n, got, c.each)
		}
		for i := range len(c.data) / 2 {
			loudest, least := min(n-1, (i+1)*c.each-1), i*c.each
			if c.data[2*i] != float32(loudest) || c.data[2*i+1] != -float32(least) {
				t.Fatalf("%d frames: column %d is %v, want the louder of frames %d to %d", n, i, c.data[2*i:2*i+2], least, loudest)
			}
		}
	}
}

func TestToWAV(t *testing.T) {
	dir := t.TempDir()
	stereo := chirp(3, 44100, 2)
	flac, err := flactest.Encode(stereo, flactest.Options{NoDither: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "cat"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cat", "a.flac"), flac, 0o600); err != nil {
		t.Fatal(err)
	}
	writeWAV(t, filepath.Join(dir, "dog", "b.wav"), chirp(4, 8000, 1))
	out := t.TempDir()
	run(t, Options{Sources: []string{dir}, Out: out, To: WAV})
	want, _, err := codec.Decode(t.Context(), "a", flac)
	if err != nil {
		t.Fatal(err)
	}
	got, h, err := wav.Decode([]byte(files(t, out)["cat/a.wav"]))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Samples, want.Samples) || got.Rate != 44100 || got.Channels != 2 || h.Tags["IGNR"] != "cat" {
		t.Errorf("%+v: other samples than the FLAC's", h)
	}
	out = t.TempDir()
	s := run(t, Options{Sources: []string{dir}, Out: out, To: WAV, Rate: 16000, Bits: "32f"})
	if s.Converted != 2 || s.SampleRate != 16000 || s.Config != nil {
		t.Errorf("%+v", s)
	}
	resampled, err := audio.Resample(want, 16000)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err = wav.Decode([]byte(files(t, out)["cat/a.wav"]))
	if err != nil || !slices.Equal(got.Samples, resampled.Samples) {
		t.Errorf("resampled: %d samples, want %d, %v", len(got.Samples), len(resampled.Samples), err)
	}
}

// TestThereAndBack goes to shards and back to sound and to pictures.
func TestThereAndBack(t *testing.T) {
	dir, shards, back := corpus(t, 6), t.TempDir(), t.TempDir()
	run(t, Options{Sources: []string{dir}, Out: shards})
	s := run(t, Options{Sources: []string{shards}, Out: back, To: WAV})
	if s.Converted != 6 || s.LabelSource != "manifest" || s.Labels["0"] != 2 {
		t.Errorf("%+v", s)
	}
	transform, err := spectrogram.New(spectrogram.Default(8000))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		clip, h, err := wav.Decode([]byte(files(t, back)[fmt.Sprintf("%d_x_%d.wav", i%3, i)]))
		if err != nil {
			t.Fatal(err)
		}
		original := chirp(i, 8000, 1)
		if clip.Frames() != original.Frames() || clip.Rate != 8000 || h.Tags["IGNR"] != strconv.Itoa(i%3) {
			t.Errorf("clip %d: %d frames at %d Hz, %v", i, clip.Frames(), clip.Rate, h.Tags)
		}
		features, err := transform.Forward(nil, original.Samples)
		if err != nil {
			t.Fatal(err)
		}
		// Default features of a chirp are met to about -20 dB; silence would be 0.
		if db, err := transform.Convergence(features, clip.Samples); err != nil || db > -12 {
			t.Errorf("clip %d: its spectrogram is %.1f dB from the original's, %v", i, db, err)
		}
	}
	pictures := t.TempDir()
	if s := run(t, Options{Sources: []string{filepath.Join(shards, dataset.ManifestName)}, Out: pictures, To: PNG}); s.Converted != 6 || s.Rows == 0 {
		t.Errorf("%+v", s)
	}
	if _, err := Run(t.Context(), Options{Sources: []string{shards}, Out: t.TempDir()}, nil); err == nil || !strings.Contains(err.Error(), "sources are spectrogram shards") {
		t.Errorf("shards to shards: %v", err)
	}
	if _, err := Run(t.Context(), Options{Sources: []string{shards, dir}, Out: t.TempDir(), To: WAV}, nil); err == nil || !strings.Contains(err.Error(), "recordings and shards") {
		t.Errorf("both kinds: %v", err)
	}
}

// TestSegments reconstructs a long spectrogram piece by piece: the length is right, and it meets the
// features as well as a short one does.
func TestSegments(t *testing.T) {
	c := small(8000)
	c.Scale, c.Mels = spectrogram.ScaleLinear, 0
	transform, err := spectrogram.New(c)
	if err != nil {
		t.Fatal(err)
	}
	n := 2*segmentFrames(c)*c.Hop + 4321
	x := make([]float32, n)
	for i := range x {
		t := float64(i) / 8000
		x[i] = float32(0.5 * math.Sin(2*math.Pi*(700*t+50*math.Sin(2*math.Pi*0.5*t))))
	}
	features, err := transform.Forward(nil, x)
	if err != nil {
		t.Fatal(err)
	}
	var got []float32
	s := segments{t: transform, config: c, phase: spectrogram.Phase{Iterations: 4}, total: int64(n), emit: func(x []float32) error {
		got = append(got, x...)
		return nil
	}}
	for rows := features.Data; len(rows) > 0; {
		k := min(len(rows), 1000*features.Bins)
		if err := s.add(rows[:k]); err != nil {
			t.Fatal(err)
		}
		rows = rows[k:]
	}
	if err := s.finish(); err != nil {
		t.Fatal(err)
	}
	if len(got) != n {
		t.Fatalf("%d samples, want %d", len(got), n)
	}
	whole, err := transform.Reconstruct(features, n, s.phase)
	if err != nil {
		t.Fatal(err)
	}
	db, err := transform.Convergence(features, got)
	if err != nil {
		t.Fatal(err)
	}
	best, err := transform.Convergence(features, whole)
	if err != nil {
		t.Fatal(err)
	}
	if db > best+1 || best > -5 {
		t.Errorf("the spectrogram of the pieces is %.1f dB from the original, that of the whole %.1f", db, best)
	}
}

func TestRefuses(t *testing.T) {
	dir := corpus(t, 3)
	used := t.TempDir()
	run(t, Options{Sources: []string{dir}, Out: used, Config: small})
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		want string
		o    Options
	}{
		{"no source", Options{Out: used}},
		{"no output folder", Options{Sources: []string{dir}}},
		{`unknown target "mp3"`, Options{Sources: []string{dir}, Out: used, To: "mp3"}},
		{"-1 workers", Options{Sources: []string{dir}, Out: used, Workers: -1}},
		{"no such file", Options{Sources: []string{filepath.Join(dir, "none")}, Out: used}},
		{"was written with other settings: target npy", Options{Sources: []string{filepath.Join(dir, "0_x_0.wav")}, Out: used, To: WAV}},
		{"was written with other settings: config", Options{Sources: []string{dir}, Out: used}},
		{"was written with other settings: rate", Options{Sources: []string{dir}, Out: used, Config: small, Rate: 16000}},
		{"exists and was not written by an earlier run", Options{Sources: []string{filepath.Join(dir, "0_x_0.wav")}, Out: dir, To: WAV}},
		{"a spectrogram config for 16000 Hz", Options{Sources: []string{dir}, Out: t.TempDir(), Config: func(int) spectrogram.Config { return small(16000) }}},
		{"convert: ", Options{Sources: []string{dir}, Out: t.TempDir(), Config: func(rate int) spectrogram.Config { return spectrogram.Config{SampleRate: rate} }}},
		{"not a directory", Options{Sources: []string{dir}, Out: filepath.Join(file, "out"), Config: small}},
	} {
		before := files(t, dir)
		s, err := Run(t.Context(), tc.o, nil)
		if err == nil || !strings.Contains(err.Error(), tc.want) || s.Converted != 0 {
			t.Errorf("%v %+v, want %q", err, s, tc.want)
		}
		if !cmp.Equal(before, files(t, dir)) {
			t.Fatalf("%q: the sources changed", tc.want)
		}
	}
}

func TestNothing(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	if _, err := Run(t.Context(), Options{Sources: []string{dir}, Out: out}, nil); !errors.Is(err, ErrNothing) || !strings.Contains(err.Error(), "there is no file in "+dir) {
		t.Errorf("an empty folder: %v", err)
	}
	for name, text := range map[string]string{"a_1.wav": "RIFF\x04\x00\x00\x00WAVE", "a.md": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, to := range Targets() {
		out := t.TempDir()
		s, err := Run(t.Context(), Options{Sources: []string{dir}, Out: out, To: to}, nil)
		if !errors.Is(err, ErrNothing) || !strings.Contains(err.Error(), "2 files were skipped") || !strings.Contains(err.Error(), "a_1.wav: wav: the file has no fmt chunk") || s.Skipped != 2 {
			t.Errorf("%s: %v", to, err)
		}
	}
}

// TestFullDisk makes writing fail in the middle.
func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full: ", err)
	}
	dir, out := corpus(t, 20), t.TempDir()
	if err := os.Symlink("/dev/full", filepath.Join(out, "shard-00000.npy.part")); err != nil {
		t.Fatal(err)
	}
	s, err := Run(t.Context(), Options{Sources: []string{dir}, Out: out, Config: small}, nil)
	if err == nil || !strings.Contains(err.Error(), "no space left on device") || errors.Is(err, ErrNothing) {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := os.Stat(filepath.Join(out, dataset.ManifestName)); err == nil {
		t.Error("a manifest lists what is not there")
	}
}

// TestOutInside converts a folder into one below it, twice: the results are not taken for sources.
func TestOutInside(t *testing.T) {
	dir := corpus(t, 4)
	o := Options{Sources: []string{dir}, Out: filepath.Join(dir, "out"), To: WAV, Rate: 16000}
	if s := run(t, o); s.Files != 4 || s.Skipped != 0 {
		t.Errorf("%+v", s)
	}
	if s := run(t, o); s.Files != 4 || s.AlreadyDone != 4 || s.Skipped != 0 {
		t.Errorf("again: %+v", s)
	}
	above := filepath.Join(t.TempDir(), "out")
	writeWAV(t, filepath.Join(above, "in", "0_a.wav"), chirp(1, 8000, 1))
	if s := run(t, Options{Sources: []string{filepath.Join(above, "in")}, Out: above, To: PNG}); s.Converted != 1 {
		t.Errorf("a source inside the folder for the results: %+v", s)
	}
}

// TestTwoAtOnce starts a conversion into a folder while another one writes to it.
func TestTwoAtOnce(t *testing.T) {
	for _, to := range []Target{NPY, WAV} {
		o := Options{Sources: []string{corpus(t, 4)}, Out: filepath.Join(t.TempDir(), "out"), To: to, Rate: 8000}
		var other error
		s, err := Run(t.Context(), o, func(Progress) {
			if other == nil {
				_, other = Run(t.Context(), o, nil)
			}
		})
		if !errors.Is(other, filelock.ErrHeld) || !strings.Contains(other.Error(), "another conversion writes to "+o.Out) {
			t.Errorf("%s: the second run: %v", to, other)
		}
		if err != nil || s.Converted != 4 {
			t.Errorf("%s: the first run: %+v, %v", to, s, err)
		}
	}
}

// TestNothingLeft removes the folder that it made for sources that are not there, and no other.
func TestNothingLeft(t *testing.T) {
	dir := t.TempDir()
	for _, out := range []string{filepath.Join(dir, "new"), dir} {
		if _, err := Run(t.Context(), Options{Sources: []string{filepath.Join(dir, "none")}, Out: out}, nil); err == nil {
			t.Error("no error")
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// TestShardsThatCannotBeFinished counts nothing of what is not there.
func TestShardsThatCannotBeFinished(t *testing.T) {
	o := Options{Sources: []string{corpus(t, 4)}, Out: filepath.Join(t.TempDir(), "out"), Rate: 8000}
	s, err := Run(t.Context(), o, func(Progress) {
		if err := os.MkdirAll(filepath.Join(o.Out, dataset.ManifestName, "in", "the", "way"), 0o755); err != nil {
			t.Error(err)
		}
	})
	if err == nil || s.Error != err.Error() || s.Converted != 0 || s.Rows != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestTemporaries removes what a killed run was writing, and nothing else, whatever the folder's name.
func TestTemporaries(t *testing.T) {
	out := filepath.Join(t.TempDir(), "a[b]*c")
	if err := os.MkdirAll(out, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".convert.json.123", ".shard-00000.npy.journal.1", ".mine.tmp", ".mine.1"} {
		if err := os.WriteFile(filepath.Join(out, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(t, Options{Sources: []string{corpus(t, 2)}, Out: out, Config: small})
	want := []string{".mine.1", ".mine.tmp", "convert.json", "manifest.jsonl", "shard-00000.npy", "skipped.jsonl"}
	if diff := cmp.Diff(want, slices.Sorted(keys(files(t, out)))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestHostileManifest shows names that lead elsewhere: the results stay in their folder.
func TestHostileManifest(t *testing.T) {
	for source, want := range map[string]string{
		"../../etc/x.wav": "etc/x.wav", "/abs.wav": "abs.wav", `..\..\x.wav`: "x.wav", "": "unnamed", "..": "unnamed", "a/../../b": "b", "C:x": "C-x", "a\x00b": "a-b",
	} {
		if got := safeName(source); got != want {
			t.Errorf("%q became %q, want %q", source, got, want)
		}
	}
}
