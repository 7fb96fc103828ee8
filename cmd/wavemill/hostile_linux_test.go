package main

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"wavemill/audio"
	"wavemill/audio/codec/flactest"
	"wavemill/audio/convert"
	"wavemill/audio/synth"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/training"
)

// A hostileFile is the content of a file that nothing can be learnt from.
type hostileFile struct {
	name string // its extension included
	data []byte
	// Some are recordings all the same, which convert converts: to shards and to WAV, or to WAV alone.
	sound, wavOnly bool
}

// chunk is a RIFF chunk that declares a size.
func chunk(id string, size uint32, body []byte) []byte {
	return append(binary.LittleEndian.AppendUint32([]byte(id), size), body...)
}

// wavFile is a WAV file with the fields of its header as given, whether they make sense or not.
func wavFile(tag, channels uint16, rate uint32, align, bits uint16, data []byte, declared uint32) []byte {
	f := binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, tag), channels)
	f = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(f, rate), rate*uint32(align))
	f = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(f, align), bits)
	body := append([]byte("WAVE"), chunk("fmt ", 16, f)...)
	return chunk("RIFF", uint32(len(body)+8+len(data)), append(body, chunk("data", declared, data)...))
}

// floatFile is a WAV file of float32 samples.
func floatFile(samples ...float32) []byte {
	var data []byte
	for _, v := range samples {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return wavFile(3, 1, 8000, 4, 32, data, uint32(len(data)))
}

// hostileFiles are files of every kind that folders hold and nobody wants, variation i.
func hostileFiles(t *testing.T, i int) []hostileFile {
	t.Helper()
	noise := make([]byte, 4000)
	for j := range noise {
		noise[j] = byte((j*j*(2*i+3) + 7*j) >> 3)
	}
	good := wavFile(1, 1, 8000, 2, 16, noise, 4000)
	inf := float32(math.Inf(1))
	silent, err := flactest.Encode(audio.Clip{Samples: make([]float32, 4096*(20+i)), Channels: 1, Rate: 8000}, flactest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	flac := bytes.Clone(silent[:42])
	copy(flac[21:26], "\x0f\xff\xff\xff\xff") // 2^36 samples
	var bomb bytes.Buffer
	z := zip.NewWriter(&bomb)
	w, err := z.Create("kick.wav")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	tiny := bytes.Repeat(chunk("junk", 0, nil), 20000)
	files := []hostileFile{
		{name: "empty.wav"},
		{name: "head.wav", data: good[:20+i%16]},
		{name: "no_data.wav", data: good[:36]},
		{name: "no_samples.wav", data: wavFile(1, 1, 8000, 2, 16, nil, 0)},
		{name: "data_first.wav", data: append(append(bytes.Clone(good[:12]), chunk("data", 4, noise[:4])...), good[12:36]...)},
		{name: "channels0.wav", data: wavFile(1, 0, 8000, 2, 16, noise, 4000)},
		{name: "channels65535.wav", data: wavFile(1, 65535, 8000, 65535, 16, noise, 4000)},
		{name: "rate0.wav", data: wavFile(1, 1, 0, 2, 16, noise, 4000)},
		{name: "bits0.wav", data: wavFile(1, 1, 8000, 0, 0, noise, 4000)},
		{name: "bits13.wav", data: wavFile(1, 1, 8000, 1, 999, noise, 4000)},
		{name: "declared_4GiB.wav", data: wavFile(1, 2, 8000, 4, 16, noise[:2], math.MaxUint32)},
		{name: "chunks.wav", data: append(append([]byte("RIFF\xff\xff\xff\xffWAVE"), tiny...), 0)},
		{name: "nan.wav", data: floatFile(0.1, float32(math.NaN()), 0.2)},
		{name: "inf.wav", data: floatFile(0.1, -inf, 0.2)},
		{name: "rate1.wav", data: wavFile(1, 1, 1, 2, 16, noise, 4000), wavOnly: true},
		{name: "rate_4GHz.wav", data: wavFile(1, 1, math.MaxUint32, 2, 16, noise, 4000)},
		{name: "loud.wav", data: floatFile(0.1, 1e29, 0.2), sound: true},
		{name: "integers.wav", data: floatFile(12, -32768, 3000), sound: true},
		{name: "text.wav", data: []byte("file,label\nkick.wav,kick\n")},
		{name: "page.flac", data: []byte("<!doctype html><title>404</title>")},
		{name: "bomb.wav", data: bomb.Bytes()},
		{name: "picture.ogg", data: []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")},
		{name: "id3_cut.wav", data: append([]byte("ID3\x03\x00\x00\x00\x00\x00\x05hello"), good[:30]...)},
		{name: "promise.flac", data: flac},
		{name: "picture_16MB.flac", data: append(bytes.Clone(silent[:42]), "\x06\xff\xff\xffabc"...)},
		{name: "cut.ogg", data: append([]byte("OggS\x00\x02"), make([]byte, 22)...)},
		{name: "silence.flac", data: silent, sound: true},
		{name: "notes.txt", data: []byte("hello")},
		{name: ".hidden.wav", data: good},
		{name: "bytes_\xff\xfe.wav", data: noise},
		{name: "esc_\x1b[31m\n.wav", data: noise},
	}
	if i < 2 { // Each starts ffmpeg, where it is installed.
		files = append(files, hostileFile{name: "unknown_tag.wav", data: wavFile(0x7777, 1, 8000, 2, 16, noise, 4000)},
			hostileFile{name: "id3_only.wav", data: append([]byte("ID3\x03\x00\x00\x7f\x7f\x7f\x7f"), noise...)},
			hostileFile{name: "noise.mp3", data: append([]byte("\xff\xfb\x90\x00"), noise...)})
	}
	for j := range files {
		files[j].name = strconv.Itoa(i) + "_" + files[j].name
		if strings.Contains(files[j].name, "_.hidden") {
			files[j].name = ".hidden" + strconv.Itoa(i) + ".wav"
		}
	}
	return files
}

// hostileFolder writes good recordings of two labels and other files. It returns how many files and links cannot be learnt
// from, and how many of these convert still converts to each target.
func hostileFolder(t *testing.T, dir string, good, hostile int) (bad int, converted map[string]int) {
	t.Helper()
	labels := []string{"bell", "kick"}
	for _, label := range labels {
		if err := os.Mkdir(filepath.Join(dir, label), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for i := range good {
		label := labels[i%2]
		c, err := synth.Clip(label, uint64(i), 8000)
		if err != nil {
			t.Fatal(err)
		}
		if err := wav.WriteFile(filepath.Join(dir, label, fmt.Sprintf("good%02d.wav", i)), c, wav.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	// Links and folders: each of the five is one reason.
	kick := filepath.Join(dir, "kick")
	for name, target := range map[string]string{"loop1.wav": "loop2.wav", "loop2.wav": "loop1.wav", "self.wav": "self.wav", "up.wav": "..", "nowhere.wav": "absent.wav"} {
		if err := os.Symlink(target, filepath.Join(kick, name)); err != nil {
			t.Fatal(err)
		}
		bad++
	}
	if err := syscall.Mkfifo(filepath.Join(kick, "pipe.wav"), 0o600); err != nil {
		t.Fatal(err)
	}
	bad++
	// Silence of 300 s, which is 58 MB in memory. The files are holes.
	converted = map[string]int{}
	for i := range 6 {
		const size = 300 * 48000 * 2
		name := filepath.Join(kick, fmt.Sprintf("silence%d.wav", i))
		if err := errors.Join(os.WriteFile(name, wavFile(1, 1, 48000, 2, 16, nil, size), 0o600), os.Truncate(name, 44+size)); err != nil {
			t.Fatal(err)
		}
		bad++
		converted["npy"]++
		converted["wav"]++
	}
	for i := 0; bad < hostile; i++ {
		for _, f := range hostileFiles(t, i) {
			if bad == hostile {
				break
			}
			if err := os.WriteFile(filepath.Join(dir, labels[i%2], f.name), f.data, 0o600); err != nil {
				t.Fatal(err)
			}
			bad++
			if f.sound {
				converted["npy"]++
			}
			if f.sound || f.wavOnly {
				converted["wav"]++
			}
		}
	}
	return bad, converted
}

// ownProcess runs wavemill in a process of its own and returns its output and the most memory that it had, in MiB.
func ownProcess(t *testing.T, args ...string) (stdout, stderr string, peak int64) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	memory := filepath.Join(t.TempDir(), "memory")
	cmd.Env = append(os.Environ(), asCommand+"=1", asMeasured+"="+memory)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		t.Fatalf("wavemill %s: %v\n%.2000s", strings.Join(args, " "), err, errOut.String())
	}
	text, err := os.ReadFile(memory)
	if err != nil {
		t.Fatal(err)
	}
	if peak, err = strconv.ParseInt(string(text), 10, 64); err != nil {
		t.Fatal(err)
	}
	return out.String(), errOut.String(), peak >> 20
}

// skippedLines counts the files that a command says it has skipped.
func skippedLines(t *testing.T, stderr string) int {
	t.Helper()
	n := 0
	for _, m := range regexp.MustCompile(`(?m)skipped (?:(\d+) files, such as |)\S`).FindAllStringSubmatch(stderr, -1) {
		if m[1] == "" {
			n++
			continue
		}
		k, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		n += k
	}
	return n
}

// TestHostileFolder: of 50 good recordings among 500 files that are truncated, lie, or are something else, plan, train and
// convert use the 50, give a reason for each of the 500, and take less than 500 MB.
func TestHostileFolder(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 550 files four times, in processes of their own")
	}
	dir := t.TempDir()
	const good, hostile = 50, 500
	bad, converted := hostileFolder(t, dir, good, hostile)
	const limit = 500 // MB
	check := func(command string, reasons, want int, peak int64) {
		t.Helper()
		t.Logf("%s: %d reasons, %d MiB", command, reasons, peak)
		if reasons != want || peak > limit {
			t.Errorf("%s: %d reasons for %d files, %d MiB", command, reasons, want, peak)
		}
	}

	stdout, stderr, peak := ownProcess(t, "plan", "--data", dir, "--ceiling", "off", "--json", "--progress", "off")
	plan := decodeLines[training.Plan](t, stdout)[0]
	check("plan", skippedLines(t, stderr)+plan.Clips.Silent, bad, peak)
	if n := plan.Clips.Clips - plan.Clips.Silent - plan.Clips.Unusable; n != good || plan.FrontEnd.Spectrogram.SampleRate != 8000 || plan.FrontEnd.Frames > 128 {
		t.Errorf("planned on %d clips: %s", n, stdout)
	}

	model := filepath.Join(t.TempDir(), "m.safetensors")
	_, stderr, peak = ownProcess(t, quickTraining(t, dir, model, "--steps", "2", "--progress", "off")...)
	check("train", skippedLines(t, stderr), bad, peak)
	c, err := models.Read(model)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(c.Data.Learnt) + len(c.Data.Chosen) + len(c.Data.HeldOut); n != good {
		t.Errorf("trained on %d recordings with the front end %+v, planned was %+v", n, c.FrontEnd, plan.FrontEnd)
	}

	for _, to := range []string{"npy", "wav"} {
		out := t.TempDir()
		stdout, _, peak := ownProcess(t, "convert", dir, "--to", to, "--out", out, "--json", "--progress", "off")
		s := decodeLines[convert.Summary](t, stdout)[0]
		listed, err := os.ReadFile(filepath.Join(out, convert.SkippedName))
		if err != nil {
			t.Fatal(err)
		}
		reasons := 0
		for line := range strings.Lines(string(listed)) {
			var s struct {
				Path, Reason string
				Partial      bool
			}
			if err := json.Unmarshal([]byte(line), &s); err != nil || s.Path == "" || s.Reason == "" {
				t.Errorf("%q: %v", line, err)
			}
			if !s.Partial {
				reasons++
			}
		}
		check("convert to "+to, reasons, bad-converted[to], peak)
		if s.Converted != good+converted[to] || s.Skipped != bad-converted[to] {
			t.Errorf("converted %d and skipped %d of %d good, %d convertible and %d other files", s.Converted, s.Skipped, good, converted[to], bad-converted[to])
		}
	}
}
