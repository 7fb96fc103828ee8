package models

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/maruel/safetensors"
	"pgregory.net/rapid"

	"wavemill/audio/spectrogram"
	"wavemill/internal/allocation"
	"wavemill/internal/oracle"
)

func sample() Checkpoint {
	return Checkpoint{
		Format: Format, Arch: "vae", Config: []byte(`{"a":"<&>"}`), FrontEnd: FrontEnd{Spectrogram: spectrogram.Default(8000), Frames: 64, TrimDB: -40},
		Labels: []string{"zero", "eins * >"}, Step: 12, Planned: 20, BatchSize: 64, Seed: math.MaxUint64, DataHash: "ab", Metrics: map[string]float64{"val/loss": 0.1 + 0.2},
		RNG: []byte{1, 2, 3}, Averages: Averages{"loss": {1. / 3, 1}},
		Tensors: []Tensor{
			{Name: "b", Shape: []int{2, 3}, Data: []float32{1, -2, 3e-38, 4, 5, 6}},
			{Name: "a \"quoted\"", Shape: nil, Data: []float32{7}},
			{Name: "empty", Shape: []int{0, 4}, Data: []float32{}},
			{Name: OptimizerPrefix + "b/m", Shape: []int{1}, Data: []float32{9}},
		},
	}
}

func TestCheckpointRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	c := sample()
	if err := c.Write(path); err != nil {
		t.Fatal(err)
	}
	back, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	back.Config = c.Config // JSON escapes <, > and &; the content is the same
	back.Tensors[1].Shape = nil
	if !reflect.DeepEqual(back, c) {
		t.Errorf("got  %+v\nwant %+v", back, c)
	}
	d1, err1 := c.Digest()
	d2, err2 := back.Digest()
	if d1 != d2 || err1 != nil || err2 != nil {
		t.Errorf("digests %s %s, errors %v %v", d1, d2, err1, err2)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("files left behind: %v", entries)
	}
	small := c.WithoutOptimizer()
	if len(small.Tensors) != 3 || len(c.Tensors) != 4 || small.RNG != nil {
		t.Errorf("without optimizer: %d tensors of %d", len(small.Tensors), len(c.Tensors))
	}
}

func TestRoundTripOfAnyTensors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Checkpoint{Format: 1, Arch: "x"}
		for _, name := range rapid.SliceOfNDistinct(rapid.StringN(1, 20, -1), 0, 6, rapid.ID[string]).Draw(t, "names") {
			shape := rapid.SliceOfN(rapid.IntRange(0, 5), 0, 4).Draw(t, "shape")
			n, _ := elements(shape)
			data := rapid.SliceOfN(rapid.Float32Range(-1e30, 1e30), n, n).Draw(t, "data")
			c.Tensors = append(c.Tensors, Tensor{name, shape, data})
		}
		b, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		again, err := back.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("encoded again: other bytes, error %v", err)
		}
	})
}

// The oracle is another author's reader of the format.
func TestAnotherReaderAgrees(t *testing.T) {
	b, err := sample().Encode()
	if err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Tensors) != 4 || f.Metadata["format"] != "wavemill" || !strings.Contains(f.Metadata["wavemill"], `"arch":"vae"`) {
		t.Errorf("it sees %d tensors and metadata %v", len(f.Tensors), f.Metadata)
	}
	for _, x := range f.Tensors {
		if x.Name == "b" && (x.DType != safetensors.F32 || !bytes.Equal(x.Data, littleEndian(sample().Tensors[0].Data))) {
			t.Errorf("it sees tensor b as %v %v", x.DType, x.Data)
		}
	}
}

func TestPythonAgrees(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil || exec.CommandContext(t.Context(), python, "-c", "import safetensors.numpy").Run() != nil {
		oracle.Missing(t, "python3 with safetensors and numpy is not installed")
	}
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := sample().Write(path); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), python, "-c",
		"import sys; from safetensors.numpy import load_file as l; d=l(sys.argv[1]); print(sorted(d), d['b'].shape, float(d['b'].sum()))", path).CombinedOutput()
	want := `['a "quoted"', 'b', 'empty', 'optimizer/b/m'] (2, 3) 14.0`
	if err != nil || strings.TrimSpace(string(out)) != want {
		t.Errorf("python says %s %v, want %s", out, err, want)
	}
}

func TestUnfitCheckpointsAreNotWritten(t *testing.T) {
	for name, spoil := range map[string]func(*Checkpoint){
		"NaN":             func(c *Checkpoint) { c.Tensors[0].Data[2] = float32(math.NaN()) },
		"infinite metric": func(c *Checkpoint) { c.Metrics["x"] = math.Inf(1) },
		"wrong shape":     func(c *Checkpoint) { c.Tensors[0].Shape = []int{7} },
		"negative shape":  func(c *Checkpoint) { c.Tensors[0].Shape = []int{-2, -3} },
		"twice":           func(c *Checkpoint) { c.Tensors[1].Name = "b" },
		"reserved":        func(c *Checkpoint) { c.Tensors[1].Name = metadataKey },
		"no arch":         func(c *Checkpoint) { c.Arch = "" },
		"future":          func(c *Checkpoint) { c.Format = Format + 1 },
	} {
		c := sample()
		spoil(&c)
		dir := t.TempDir()
		if err := c.Write(filepath.Join(dir, "m")); err == nil {
			t.Errorf("%s: no error", name)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 0 {
			t.Errorf("%s: left %v behind", name, entries)
		}
	}
}

// file puts a header before data.
func file(header string, data ...byte) []byte {
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), data...)
}

func TestDecodeRefuses(t *testing.T) {
	valid, err := sample().Encode()
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(valid)
	flipped[len(flipped)-1] ^= 1
	four := []byte{0, 0, 0, 0}
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"empty":             {nil, "too few"},
		"header too long":   {binary.LittleEndian.AppendUint64(nil, 1<<62), "header says"},
		"truncated":         {valid[:len(valid)-2], "the file is cut off: it ends 2 bytes early; copy it again"},
		"cut in the header": {valid[:100], "it is cut off"},
		"foreign type":      {file(`{"model.w":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}`, four...), "not one of ours"},
		"longer":            {append(bytes.Clone(valid), 0), "follow the last"},
		"bit flipped":       {flipped, "damaged"},
		"no object":         {file(`[]`), "not a JSON object"},
		"key twice":         {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\u0061":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, four...), "twice"},
		"overlap":           {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, four...), "do not fit"},
		"hole":              {file(`{"a":{"dtype":"F32","shape":[],"data_offsets":[4,8]}}`, append(four, four...)...), "do not fit"},
		"backwards":         {file(`{"a":{"dtype":"F32","shape":[0],"data_offsets":[4,0]}}`, four...), "do not fit"},
		"huge shape":        {file(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}`, four...), "impossible"},
		"other type":        {file(`{"__metadata__":{"wavemill":"{}"},"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}`, four...), "BF16"},
		"unknown field":     {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}`, four...), "unknown field"},
		"after the object":  {file(`{} {}`), "more follows"},
		"foreign":           {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, four...), "not one of ours"},
	} {
		if _, err := Decode(c.b); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

func TestDecodeAllocatesLittle(t *testing.T) {
	valid, err := sample().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"valid":      valid,
		"huge shape": file(`{"a":{"dtype":"F32","shape":[1073741824],"data_offsets":[0,4294967296]}}`, 0, 0, 0, 0),
		"long name":  file(`{"` + strings.Repeat("a", 1<<16) + `":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`),
		"header":     binary.LittleEndian.AppendUint64(nil, headerLimit),
	} {
		r := testing.Benchmark(func(t *testing.B) {
			for t.Loop() {
				_, _ = Decode(b) // an error is as good as none here
			}
		})
		if got := r.AllocedBytesPerOp(); got > int64(1<<15+20*len(b)) {
			t.Errorf("%s: %d bytes allocated for an input of %d", name, got, len(b))
		}
	}
}

func FuzzDecode(f *testing.F) {
	valid, err := sample().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(valid)
	f.Add(file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c Checkpoint
		var err error
		allocation.Check(t, len(b), 100, func() { c, err = Decode(b) })
		if err != nil {
			return
		}
		again, err := c.Encode()
		if err != nil {
			t.Fatalf("decoded, but not to be encoded: %v", err)
		}
		if _, err := Decode(again); err != nil {
			t.Fatal(err)
		}
	})
}

// Read refuses what is no file, and what it would have to read for ever.
func TestReadRefuses(t *testing.T) {
	dir := t.TempDir()
	sparse, zeros := filepath.Join(dir, "sparse"), filepath.Join(dir, "zeros")
	for path, size := range map[string]int64{sparse: fileLimit + 1, zeros: fileLimit} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"/dev/zero":                   "/dev/zero: is not a regular file",
		dir:                           dir + ": is a directory",
		sparse:                        "more than a checkpoint has",
		zeros:                         zeros + ": safetensors: header says it has 0 bytes",
		filepath.Join(dir, "nothing"): "no such file",
	} {
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	short := filepath.Join(dir, "short")
	if err := os.WriteFile(short, []byte("1234"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := ReadLimited(short, 4); err != nil || string(b) != "1234" {
		t.Errorf("%q, %v", b, err)
	}
	for path, want := range map[string]string{short: "more than 3 bytes", "/dev/zero": "is a device"} {
		if _, err := ReadLimited(path, 3); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}
