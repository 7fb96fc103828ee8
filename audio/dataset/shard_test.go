package dataset

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wavemill/audio/npy"
	"wavemill/internal/allocation"
	"wavemill/internal/oracle"
)

const testBins = 3

// clip i has i%5 rows, all different from those of others.
func clipRows(i int) []float32 {
	rows := make([]float32, i%5*testBins)
	for k := range rows {
		rows[k] = float32(1000*i + k)
	}
	return rows
}

func clipEntry(i int) Entry {
	return Entry{Label: strconv.Itoa(i % 3), Source: fmt.Sprintf("%d.wav", i), Samples: int64(i), Config: json.RawMessage(`{"n_fft":256}`)}
}

// add writes clips from..to-1, in two blocks each.
func add(t interface{ Fatal(...any) }, w *ShardWriter, from, to int) {
	for i := from; i < to; i++ {
		rows := clipRows(i)
		half := len(rows) / testBins / 2 * testBins
		for _, part := range [][]float32{rows[:half], rows[half:]} {
			if err := w.WriteRows(EncodeRows(nil, part)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Commit(clipEntry(i)); err != nil {
			t.Fatal(err)
		}
	}
}

// maxTest ends a shard after some ten clips.
const maxTest = 20 * 4 * testBins

func openWriter(t interface{ Fatal(...any) }, dir string) *ShardWriter {
	w, err := OpenShardWriter(dir, testBins, maxTest)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// files reads a folder.
func files(t interface{ Fatal(...any) }, dir string) map[string]string {
	out := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(b)
	}
	return out
}

// restore writes a folder.
func restore(t interface{ Fatal(...any) }, dir string, files map[string]string) {
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// complete is the folder that n clips make without an interruption.
func complete(t *testing.T, n int) map[string]string {
	t.Helper()
	dir := t.TempDir()
	w := openWriter(t, dir)
	add(t, w, 0, n)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return files(t, dir)
}

func TestShards(t *testing.T) {
	dir := t.TempDir()
	restore(t, dir, complete(t, 40))
	s, err := OpenShards(dir)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.Entries()); n != 40 {
		t.Fatalf("%d entries", n)
	}
	shards := map[string]int{}
	for i, e := range s.Entries() {
		rows, err := s.Read(e)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(rows, clipRows(i)) {
			t.Errorf("clip %d: %v", i, rows)
		}
		want := clipEntry(i)
		want.Shard, want.Offset, want.Frames, want.Bins, want.SHA256 = e.Shard, shards[e.Shard], len(rows)/testBins, testBins, e.SHA256
		if diff := cmp.Diff(want, e); diff != "" {
			t.Errorf("entry (-want +got):\n%s", diff)
		}
		shards[e.Shard] += e.Frames
	}
	if len(shards) < 4 || len(files(t, dir)) != len(shards)+1 {
		t.Errorf("%d shards, files %v", len(shards), slices.Sorted(maps.Keys(files(t, dir))))
	}
	for name, rows := range shards {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if shape, _, err := npy.Decode(b); err != nil || !slices.Equal(shape, []int{rows, testBins}) || len(b) >= maxTest+128+5*4*testBins {
			t.Errorf("%s: %v, %v", name, shape, err)
		}
	}
	if _, err := OpenShards(filepath.Join(dir, ManifestName)); err != nil {
		t.Errorf("by the manifest's name: %v", err)
	}
}

// TestInterrupted stops after any clip, kindly or not, any number of times: the folder is in the end
// what it is without an interruption, and no clip that was told to be safe is asked for again.
func TestInterrupted(t *testing.T) {
	want := complete(t, 40)
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 0))
		dir := t.TempDir()
		for safe := 0; safe < 40; {
			w := openWriter(t, dir)
			done := len(w.Entries())
			if done < safe {
				t.Fatalf("seed %d: %d clips are there, %d were safe", seed, done, safe)
			}
			next := min(40, done+rng.IntN(26))
			add(t, w, done, next)
			var err error
			switch rng.IntN(4) {
			case 0: // Suspended.
				err, safe = w.Suspend(), next
			case 1: // Killed after a flush.
				err, safe = w.Flush(), next
			case 2: // Killed within a clip.
				err = errors.Join(w.WriteRows(EncodeRows(nil, []float32{7, 8, 9})), w.Flush())
				safe = next
			case 3: // Killed without warning: what was not flushed is lost.
			}
			if err != nil {
				t.Fatal(err)
			}
			if w.file != nil { // A killed process's files stay as they are; its descriptors are closed for it.
				w.file.Close()
				w.journal.Close()
			}
		}
		w := openWriter(t, dir)
		add(t, w, len(w.Entries()), 40)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, files(t, dir)); diff != "" {
			t.Fatalf("seed %d (-uninterrupted +interrupted):\n%s", seed, diff)
		}
	}
}

// TestKilledWhileFinishing takes up the states that a folder passes through when a shard is named.
func TestKilledWhileFinishing(t *testing.T) {
	want := complete(t, 40)
	dir := t.TempDir()
	w := openWriter(t, dir)
	add(t, w, 0, 12)
	if err := w.Suspend(); err != nil {
		t.Fatal(err)
	}
	before := files(t, dir)
	part := shardName(w.number)
	if _, ok := before[part+partSuffix]; !ok {
		t.Fatalf("no shard is being written: %v", slices.Sorted(maps.Keys(before)))
	}
	with := func(change func(map[string]string)) map[string]string { m := maps.Clone(before); change(m); return m }
	journal, manifest := before[part+journalSuffix], before[ManifestName]
	rename := func(m map[string]string) {
		rows := (len(m[part+partSuffix]) - npy.HeaderSize) / (4 * testBins)
		m[part] = string(npy.Header([]int{rows, testBins})) + m[part+partSuffix][npy.HeaderSize:]
		delete(m, part+partSuffix)
	}
	for name, state := range map[string]map[string]string{
		"nothing happened": before,
		"a torn journal":   with(func(m map[string]string) { m[part+journalSuffix] += `{"shard":"sh` }),
		"rows without a journal line": with(func(m map[string]string) {
			m[part+journalSuffix] = journal[:strings.LastIndexByte(journal[:len(journal)-1], '\n')+1]
		}),
		"rows lost with the power": with(func(m map[string]string) { m[part+partSuffix] = m[part+partSuffix][:len(m[part+partSuffix])-5] }),
		"rows damaged with the power": with(func(m map[string]string) {
			m[part+partSuffix] = m[part+partSuffix][:npy.HeaderSize] + strings.Repeat("\x00", len(m[part+partSuffix])-npy.HeaderSize)
		}),
		"an empty part": with(func(m map[string]string) { m[part+partSuffix] = ""; m[part+journalSuffix] = "" }),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			restore(t, dir, state)
			w := openWriter(t, dir)
			add(t, w, len(w.Entries()), 40)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, files(t, dir)); diff != "" {
				t.Errorf("(-uninterrupted +interrupted):\n%s", diff)
			}
		})
	}
	// Once the shard has its final head or name, the clips stay in it and the next begins another.
	for name, state := range map[string]map[string]string{
		"the head was written": with(func(m map[string]string) { rename(m); m[part+partSuffix] = m[part]; delete(m, part) }),
		"named, not listed":    with(rename),
		"named, half listed":   with(func(m map[string]string) { rename(m); m[ManifestName] = manifest + journal[:len(journal)/2] }),
		"named and listed":     with(func(m map[string]string) { rename(m); m[ManifestName] = manifest + journal }),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			restore(t, dir, state)
			w := openWriter(t, dir)
			if n := len(w.Entries()); n != 12 {
				t.Fatalf("%d clips are there", n)
			}
			add(t, w, 12, 40)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			s, err := OpenShards(dir)
			if err != nil {
				t.Fatal(err)
			}
			for i, e := range s.Entries() {
				if rows, err := s.Read(e); err != nil || !slices.Equal(rows, clipRows(i)) || e.Source != clipEntry(i).Source {
					t.Errorf("clip %d: %+v %v, %v", i, e, rows, err)
				}
			}
			for name := range files(t, dir) {
				if strings.HasSuffix(name, partSuffix) || strings.HasSuffix(name, journalSuffix) {
					t.Errorf("left behind: %s", name)
				}
			}
		})
	}
}

func TestAbort(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, dir)
	add(t, w, 0, 3)
	for range 3 {
		if err := w.WriteRows(EncodeRows(nil, make([]float32, 100*testBins))); err != nil {
			t.Fatal(err)
		}
		if err := w.Abort(); err != nil {
			t.Fatal(err)
		}
	}
	add(t, w, 3, 40)
	if err := w.WriteRows(EncodeRows(nil, make([]float32, testBins))); err != nil { // Never committed.
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, want := files(t, dir), complete(t, 40)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-without +with aborted clips):\n%s", diff)
	}
	if w.Close() == nil || w.Commit(clipEntry(0)) == nil || w.WriteRows(nil) == nil {
		t.Error("a closed ShardWriter goes on")
	}
}

func TestShardWriterRefuses(t *testing.T) {
	dir := t.TempDir()
	restore(t, dir, complete(t, 10))
	if _, err := OpenShardWriter(dir, 4, 0); err == nil || !strings.Contains(err.Error(), "of 3 bins, not 4") {
		t.Errorf("another width: %v", err)
	}
	part := t.TempDir()
	w := openWriter(t, part)
	add(t, w, 0, 3)
	if err := w.Suspend(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenShardWriter(part, 4, 0); err == nil || !strings.Contains(err.Error(), "not begun with 4 bins") {
		t.Errorf("another width in a part: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, shardName(0))); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenShardWriter(dir, 3, 0); err == nil || !strings.Contains(err.Error(), "shard-00000.npy is missing") {
		t.Errorf("a missing shard: %v", err)
	}
	w = openWriter(t, t.TempDir())
	if err := w.WriteRows(make([]byte, 5)); err == nil || !strings.Contains(err.Error(), "whole rows") {
		t.Errorf("half a row: %v", err)
	}
	if _, err := OpenShardWriter(filepath.Join(dir, "none"), 3, 0); err != nil {
		t.Errorf("nothing is written yet: %v", err)
	}
}

func TestOpenShardsRefuses(t *testing.T) {
	whole := complete(t, 10)
	line, rest, _ := strings.Cut(whole[ManifestName], "\n")
	shard := whole[shardName(0)]
	for _, tc := range []struct {
		name, want string
		change     func(map[string]string)
	}{
		{"no manifest", "no such file", func(m map[string]string) { delete(m, ManifestName) }},
		{"no shard", "no such file", func(m map[string]string) { delete(m, shardName(0)) }},
		{"a cut shard", "does not fit", func(m map[string]string) { m[shardName(0)] = shard[:len(shard)-1] }},
		{"a long shard", "does not fit", func(m map[string]string) { m[shardName(0)] += "x" }},
		{"no array", "not an .npy file", func(m map[string]string) { m[shardName(0)] = "hello" }},
		{"another shape", "shards are <f4 with two", func(m map[string]string) { m[shardName(0)] = string(npy.Encode([]int{3}, make([]float32, 3))) }},
		{"beyond the rows", "are not in shard-00000.npy", func(m map[string]string) {
			m[ManifestName] = strings.Replace(m[ManifestName], `"offset":0`, `"offset":99`, 1)
		}},
		{"a negative offset", "line 1: offset -1", func(m map[string]string) {
			m[ManifestName] = strings.Replace(m[ManifestName], `"offset":0`, `"offset":-1`, 1)
		}},
		{"offsets beyond an int", "beyond any file", func(m map[string]string) {
			m[ManifestName] = strings.Replace(m[ManifestName], `"offset":0`, `"offset":`+strconv.Itoa(math.MaxInt), 1)
		}},
		{"a path", "not the bare name", func(m map[string]string) {
			m[ManifestName] = strings.Replace(m[ManifestName], `shard-`, `../shard-`, 1)
		}},
		{"an unknown field", `unknown field "shart"`, func(m map[string]string) {
			m[ManifestName] = strings.Replace(m[ManifestName], `"shard"`, `"shart"`, 1)
		}},
		{"no sum", "64 lower-case", func(m map[string]string) {
			m[ManifestName] = strings.Replace(m[ManifestName], `"sha256":"`, `"sha256":"x`, 1)
		}},
		{"two values", "more than one value", func(m map[string]string) { m[ManifestName] = line + line + "\n" + rest }},
		{"no JSON", "line 11: ", func(m map[string]string) { m[ManifestName] += "{" }},
		{"an endless line", "line 11: ", func(m map[string]string) { m[ManifestName] += strings.Repeat(" ", maxLine+1) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			state := maps.Clone(whole)
			tc.change(state)
			dir := t.TempDir()
			restore(t, dir, state)
			if _, err := OpenShards(dir); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
	t.Run("other values", func(t *testing.T) {
		state := maps.Clone(whole)
		state[shardName(0)] = shard[:len(shard)-1] + "\x01"
		dir := t.TempDir()
		restore(t, dir, state)
		s, err := OpenShards(dir)
		if err != nil {
			t.Fatal(err)
		}
		bad := 0
		for _, e := range s.Entries() {
			if _, err := s.Read(e); err != nil {
				bad++
				if !strings.Contains(err.Error(), "the shard is damaged") {
					t.Error(err)
				}
			}
		}
		if bad != 1 {
			t.Errorf("%d clips are damaged, want 1", bad)
		}
	})
}

// TestNumPyReadsShards loads the shards and the manifest in Python without our code.
func TestNumPyReadsShards(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		oracle.Missing(t, "python3 is not installed: %v", err)
	}
	if out, err := exec.CommandContext(t.Context(), python, "-c", "import numpy").CombinedOutput(); err != nil {
		oracle.Missing(t, "no NumPy: %s", out)
	}
	dir := t.TempDir()
	restore(t, dir, complete(t, 40))
	script := `
import sys, json, hashlib, numpy, os
d = sys.argv[1]
for i, line in enumerate(open(os.path.join(d, "manifest.jsonl"))):
    e = json.loads(line)
    a = numpy.load(os.path.join(d, e["shard"]))[e["offset"]:e["offset"] + e["frames"]]
    assert a.shape == (i % 5, 3) and (a.ravel() == 1000 * i + numpy.arange(a.size)).all(), (i, a)
    assert hashlib.sha256(a.tobytes()).hexdigest() == e["sha256"] and e["source"] == f"{i}.wav"
assert i == 39
`
	if out, err := exec.CommandContext(t.Context(), python, "-c", script, dir).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// FuzzManifest shows anything to ReadManifest: what it accepts must survive writing, and it may not
// take memory beyond the text.
func FuzzManifest(f *testing.F) {
	b, err := appendEntries(nil, Entry{Shard: "shard-00000.npy", Bins: 3, Label: "a", Source: "a.wav", SHA256: strings.Repeat("0a", 32), Config: json.RawMessage(`{"x":[1,2]}`)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(append(append([]byte("\n"), b...), b[:40]...))
	f.Fuzz(func(t *testing.T, b []byte) {
		var entries []Entry
		var err error
		allocation.Check(t, len(b), 100, func() { entries, err = ReadManifest(bytes.NewReader(b)) })
		if err != nil {
			return
		}
		again, err := appendEntries(nil, entries...)
		if err != nil {
			return // A line that grows beyond its bound.
		}
		twice, err := ReadManifest(bytes.NewReader(again))
		if err != nil || len(twice) != len(entries) {
			t.Fatalf("%q: %v", again, err)
		}
		third, err := appendEntries(nil, twice...)
		if err != nil || !bytes.Equal(third, again) {
			t.Fatalf("%q became %q", again, third)
		}
	})
}

// FuzzLabels shows anything to the readers of label tables.
func FuzzLabels(f *testing.F) {
	f.Add("file,label\na.wav,x\n")
	f.Add("\xff\xfef\x00i\x00l\x00e\x00;\x00")
	f.Add(`{"file":"a.wav","label":"x"}`)
	f.Fuzz(func(t *testing.T, text string) {
		var decoded string
		var err error
		allocation.Check(t, len(text), 100, func() { decoded, _, err = decodeText([]byte(text)) })
		if err != nil {
			return
		}
		for _, read := range []func(string) (rows, error){
			func(s string) (rows, error) { return readCSV(s, "") },
			func(s string) (rows, error) { return readJSONL(s, "speaker") },
		} {
			var table rows
			// A decoder for each line of a few bytes, and up to 64 readings where quotes stay open.
			allocation.Check(t, len(text), 2000, func() { table, err = read(decoded) })
			for _, r := range table.good {
				if err == nil && (strings.TrimSpace(r.file) == "" || r.label == "" || r.line < 1) {
					t.Fatalf("%q: %+v", text, r)
				}
			}
		}
	})
}
