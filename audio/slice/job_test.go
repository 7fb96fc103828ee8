package slice_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/audio/slice"
	"wavemill/audio/wav"
	"wavemill/internal/filelock"
)

// writeTake writes a take as a file of 16 bits.
func writeTake(t *testing.T, k take, file string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := wav.WriteFile(file, audio.Clip{Samples: k.samples, Channels: 1, Rate: k.rate}, wav.Options{}); err != nil {
		t.Fatal(err)
	}
}

// readWAV reads a file.
func readWAV(t *testing.T, file string) (audio.Clip, wav.Header) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c, h, err := wav.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	return c, h
}

// tree is the content of a folder, by path.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		files[strings.TrimPrefix(name, dir+"/")] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// manifest reads the list of clips.
func manifest(t *testing.T, s slice.Summary) (all []slice.ClipRecord) {
	t.Helper()
	b, err := os.ReadFile(s.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		var r slice.ClipRecord
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// folder makes a folder of two labels with three takes, one of which is damaged at its end, and files that are no audio.
func folder(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "takes")
	for i, name := range []string{"drums/take.wav", "strings/take.wav", "drums/second.wav"} {
		class := "kick"
		if i == 1 {
			class = "pluck"
		}
		writeTake(t, newTake(t, uint64(i), 8000, 6, 0.5, -60, class), filepath.Join(dir, name))
	}
	for name, text := range map[string]string{"drums/notes.wav": "no audio", "strings/empty.flac": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(filepath.Join(dir, "drums/second.wav"), 30000); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A folder below a source is no part of it: a second run finds the same files and labels, and cuts none of its own clips.
func TestOutInside(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"kick_a.wav", "kick_b.wav", "pluck_a.wav"} {
		writeTake(t, newTake(t, uint64(i), 8000, 6, 0.5, -60, strings.Split(name, "_")[0]), filepath.Join(dir, name))
	}
	out := filepath.Join(dir, "clips")
	job := slice.Job{Sources: []string{dir}, Out: out, Config: slice.Defaults(slice.Onset)}
	first, err := slice.Run(t.Context(), job, nil)
	if err != nil || first.Sources != 3 || len(first.Labels) != 2 {
		t.Fatalf("%+v, %v", first, err)
	}
	files := tree(t, out)
	again, err := slice.Run(t.Context(), job, nil)
	if err != nil || again.Sources != 3 || again.AlreadyDone != 3 || again.Clips != first.Clips || again.Skipped != first.Skipped {
		t.Errorf("%+v, %v; the first run %+v", again, err, first)
	}
	if !maps.Equal(files, tree(t, out)) {
		t.Error("another run changes the folder")
	}
}

// Two jobs do not write to one folder at once; the second is refused, and changes nothing.
func TestTwoJobsInOneFolder(t *testing.T) {
	dir, out := folder(t), filepath.Join(t.TempDir(), "clips")
	job := slice.Job{Sources: []string{dir}, Out: out, Config: slice.Defaults(slice.Onset)}
	var other error
	first, err := slice.Run(t.Context(), job, func(slice.Progress) {
		if other == nil {
			_, other = slice.Run(t.Context(), job, nil)
		}
	})
	if !errors.Is(other, filelock.ErrHeld) || !strings.Contains(other.Error(), "another slice writes to "+out) {
		t.Errorf("the second job: %v", other)
	}
	if err != nil || len(manifest(t, first)) != int(first.Clips) {
		t.Errorf("the first job: %+v, %v", first, err)
	}
	if again, err := slice.Run(t.Context(), job, nil); err != nil || again.Clips != first.Clips {
		t.Errorf("after it: %+v, %v", again, err)
	}
}

func TestJob(t *testing.T) {
	dir, out := folder(t), filepath.Join(t.TempDir(), "clips")
	job := slice.Job{Sources: []string{dir}, Out: out, Config: slice.Defaults(slice.Onset)}
	last := slice.Progress{}
	s, err := slice.Run(t.Context(), job, func(p slice.Progress) { last = p })
	if err != nil {
		t.Fatal(err)
	}
	if s.Sources != 5 || s.Labels["drums"] < 8 || s.Labels["strings"] != 6 || s.Clips != s.Labels["drums"]+s.Labels["strings"] || s.Skipped != 3 || last.Bytes != last.Total || last.Clips != s.Clips {
		t.Errorf("%+v, progress %+v", s, last)
	}
	all := manifest(t, s)
	if int64(len(all)) != s.Clips {
		t.Errorf("%d lines for %d clips", len(all), s.Clips)
	}
	for _, r := range all {
		source, _ := readWAV(t, filepath.Join(dir, r.Source))
		clip, h := readWAV(t, filepath.Join(out, r.File))
		start, end := int(r.Start*8000+0.5), int(r.End*8000+0.5)
		if !slices.Equal(clip.Samples, source.Samples[start:end]) || h.Tags["INAM"] != r.Label || !strings.Contains(h.Tags["ICMT"], r.Source) {
			t.Errorf("%+v is not that part of its source; tags %v", r, h.Tags)
		}
		if filepath.Dir(r.File) != r.Label || r.Group != r.Source {
			t.Errorf("%+v", r)
		}
	}
	// The same again is no work, and gives the same.
	before := tree(t, out)
	again, err := slice.Run(t.Context(), job, nil)
	if err != nil || again.AlreadyDone != 3+2 || again.Clips != s.Clips || !maps.Equal(tree(t, out), before) {
		t.Errorf("%+v, %v", again, err)
	}
	// Training finds labels and groups in the manifest.
	set, err := dataset.Scan(t.Context(), []string{out}, dataset.Options{Labels: s.Manifest, Group: "group"})
	if err != nil || len(set.Items) != len(all) || set.Items[0].Group == "" {
		t.Errorf("%d items: %v", len(set.Items), err)
	}
	// Another job does not get into the folder.
	job.Config.Min = 70 * time.Millisecond
	if _, err := slice.Run(t.Context(), job, nil); err == nil || !strings.Contains(err.Error(), "other settings") {
		t.Errorf("other settings: %v", err)
	}
	job.Out = dir
	if _, err := slice.Run(t.Context(), job, nil); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a folder with other files: %v", err)
	}
}

// A job that is stopped anywhere goes on, and gives what one that was not stopped gives.
func TestJobGoesOn(t *testing.T) {
	dir := folder(t)
	want := filepath.Join(t.TempDir(), "clips")
	job := slice.Job{Sources: []string{dir}, Out: want, Config: slice.Defaults(slice.Silence), Encoding: "24"}
	if _, err := slice.Run(t.Context(), job, nil); err != nil {
		t.Fatal(err)
	}
	for stop := range 6 {
		job.Out = filepath.Join(t.TempDir(), "clips")
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		_, err := slice.Run(ctx, job, func(slice.Progress) {
			if n++; n > 2*stop {
				cancel()
			}
		})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("stop %d: %v", stop, err)
		}
		if _, err := slice.Run(t.Context(), job, nil); err != nil {
			t.Fatal(err)
		}
		if got := tree(t, job.Out); !maps.Equal(got, tree(t, want)) {
			t.Errorf("stop %d: %v, want %v", stop, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(tree(t, want))))
		}
	}
}

// A source that has changed is cut anew, and its former clips are removed.
func TestJobOfChangedSource(t *testing.T) {
	dir := t.TempDir()
	file, out := filepath.Join(dir, "take.wav"), filepath.Join(t.TempDir(), "clips")
	job := slice.Job{Sources: []string{file}, Out: out, Config: slice.Defaults(slice.Onset), Label: "big kick"}
	for _, sounds := range []int{8, 4} {
		writeTake(t, newTake(t, 1, 8000, sounds, 0.5, -60, "kick"), file)
		s, err := slice.Run(t.Context(), job, nil)
		if err != nil || s.Clips != int64(sounds) || s.Labels["big kick"] != s.Clips {
			t.Fatalf("%+v, %v", s, err)
		}
		files, err := filepath.Glob(filepath.Join(out, "big-kick-*", "*.wav"))
		if err != nil || len(files) != sounds {
			t.Errorf("%d files of %d clips: %v", len(files), sounds, err)
		}
	}
}

func TestJobOfTable(t *testing.T) {
	dir, out := folder(t), filepath.Join(t.TempDir(), "clips")
	table := filepath.Join(dir, "times.csv")
	text := "file,start,end,label\ndrums/take.wav,0.5,1,bass drum\nstrings/take.wav,0.5,1.5,\ntake.wav,0,1,which\nstrings/take.wav,1,900,long\nstrings/take.wav,2.5,60,end\nnone.wav,0,1,x\n"
	if err := os.WriteFile(table, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := slice.Run(t.Context(), slice.Job{Sources: []string{dir}, Out: out, Config: slice.Defaults(slice.Length), Table: table}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Clips != 3 || s.Labels["bass drum"] != 1 || s.Labels["strings"] != 1 || s.Labels["end"] != 1 {
		t.Errorf("%+v", s)
	}
	skipped, err := os.ReadFile(filepath.Join(out, slice.SkippedName))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"line 4 cannot be used", "line 5 cannot be used", "line 6 of the table ends at 60", "line 7 cannot be used"} {
		if !strings.Contains(string(skipped), want) {
			t.Errorf("no %q in\n%s", want, skipped)
		}
	}
}

func TestJobWithoutClips(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "quiet.wav")
	writeTake(t, take{samples: make([]float32, 16000), rate: 8000}, file)
	out := filepath.Join(dir, "clips")
	job := slice.Job{Sources: []string{file}, Out: out, Config: slice.Defaults(slice.Onset), Label: "x"}
	if _, err := slice.Run(t.Context(), job, nil); !errors.Is(err, slice.ErrNothing) {
		t.Errorf("a silent take: %v", err)
	}
	for _, j := range []slice.Job{{}, {Sources: []string{file}}, {Sources: []string{file}, Out: out, Config: job.Config, Label: "x", Labels: "folder"}, {Sources: []string{file}, Out: out, Config: job.Config, Encoding: "8"}, {Sources: []string{file}, Out: out}} {
		if _, err := slice.Run(t.Context(), j, nil); err == nil {
			t.Errorf("%+v is accepted", j)
		}
	}
	if _, err := slice.Run(t.Context(), slice.Job{Sources: []string{filepath.Join(dir, "none")}, Out: out, Config: job.Config}, nil); err == nil {
		t.Error("a source that is not there is accepted")
	}
}
