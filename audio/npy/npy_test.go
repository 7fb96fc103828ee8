package npy

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"wavemill/internal/allocation"
	"wavemill/internal/oracle"
)

func bits(x []float32) []uint32 {
	out := make([]uint32, len(x))
	for i, v := range x {
		out[i] = math.Float32bits(v)
	}
	return out
}

// TestRoundTrip encodes any array, NaNs and all, and decodes the same bits.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shape := rapid.SliceOfN(rapid.IntRange(0, 6), 0, 5).Draw(t, "shape")
		n := 1
		for _, d := range shape {
			n *= d
		}
		data := make([]float32, n)
		for i := range data {
			data[i] = math.Float32frombits(rapid.Uint32().Draw(t, "bits"))
		}
		b := Encode(shape, data)
		if h := len(b) - 4*n; h%64 != 0 || len(shape) <= 4 && h != HeaderSize {
			t.Fatalf("shape %v: a head of %d bytes", shape, h)
		}
		gotShape, got, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(gotShape, shape) || !slices.Equal(bits(got), bits(data)) {
			t.Fatalf("%v %v became %v %v", shape, data, gotShape, got)
		}
		l, err := Inspect(b)
		if err != nil || l.Descr != "<f4" || !slices.Equal(l.Shape, shape) {
			t.Fatalf("%+v, %v", l, err)
		}
		if size, err := l.Size(); err != nil || size != int64(len(b)) {
			t.Fatalf("the layout says %d bytes, %v; there are %d", size, err, len(b))
		}
	})
}

// file is an array file with any header text.
func file(text string, body []byte) []byte {
	b := binary.LittleEndian.AppendUint16([]byte(magic+"\x01\x00"), uint16(len(text)))
	return append(append(b, text...), body...)
}

func TestDecode(t *testing.T) {
	f8 := binary.LittleEndian.AppendUint64(nil, math.Float64bits(0.5))
	for name, b := range map[string][]byte{
		"NumPy's own":      file("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }                  \n", []byte{0, 0, 0, 0x3F}),
		"big-endian":       file("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }\n", []byte{0x3F, 0, 0, 0}),
		"float64":          file("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }\n", f8),
		"big-endian f8":    file("{'descr': '>f8', 'fortran_order': False, 'shape': (1,), }\n", binary.BigEndian.AppendUint64(nil, math.Float64bits(0.5))),
		"other order":      file("{'shape':(1,),'fortran_order':False,'descr':'<f4'}", []byte{0, 0, 0, 0x3F}),
		"no last comma":    file("{'descr': '<f4', 'fortran_order': False, 'shape': (1)}\n", []byte{0, 0, 0, 0x3F}),
		"version 2":        slices.Concat([]byte(magic+"\x02\x00\x3a\x00\x00\x00"), []byte("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n"), []byte{0, 0, 0, 0x3F}),
		"version 3":        slices.Concat([]byte(magic+"\x03\x00\x3a\x00\x00\x00"), []byte("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n"), []byte{0, 0, 0, 0x3F}),
		"the empty tuple":  file("{'descr': '<f4', 'fortran_order': False, 'shape': (), }\n", []byte{0, 0, 0, 0x3F}),
		"three dimensions": file("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1), }\n", []byte{0, 0, 0, 0x3F}),
	} {
		if _, data, err := Decode(b); err != nil || !slices.Equal(data, []float32{0.5}) {
			t.Errorf("%s: %v, %v", name, data, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n"
	for _, tc := range []struct {
		name, want string
		data       []byte
	}{
		{"nothing", "not an .npy file", nil},
		{"text", "not an .npy file", []byte("hello, NumPy and all")},
		{"version 9", "version 9.0", append([]byte(magic+"\x09\x00"), make([]byte, 90)...)},
		{"cut in the head", "ends within its header", file(good, nil)[:40]},
		{"cut before the length", "ends within its header", []byte(magic + "\x02\x00\x3a\x00")},
		{"a huge head", "not plausible", append([]byte(magic+"\x02\x00\xff\xff\xff\xff"), make([]byte, 90)...)},
		{"too short", "needs 6 elements of 4 bytes, but 23", file(good, make([]byte, 23))},
		{"too long", "needs 6 elements of 4 bytes, but 25", file(good, make([]byte, 25))},
		{"a huge shape", "too large", file("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", nil)},
		{"a large shape", "needs 16777216 elements", file("{'descr': '<f4', 'fortran_order': False, 'shape': (4096, 4096), }", nil)},
		{"a negative shape", "dimension belongs", file("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", nil)},
		{"a number beyond 64 bits", "dimension belongs", file("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", nil)},
		{"65 dimensions", "64 dimensions", file("{'descr': '<f4', 'fortran_order': False, 'shape': ("+strings.Repeat("1,", 65)+"), }", nil)},
		{"Fortran", "Fortran order", file("{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }", make([]byte, 4))},
		{"integers", "'<i8' is not", []byte(strings.Replace(string(file(good, make([]byte, 24))), "<f4", "<i8", 1))},
		{"objects", "element type", file("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", make([]byte, 4))},
		{"a key twice", "twice", file("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", make([]byte, 4))},
		{"an unknown key", `unknown key "x"`, file("{'descr': '<f4', 'x': 1, 'fortran_order': False, 'shape': (1,), }", make([]byte, 4))},
		{"no shape", `no "shape"`, file("{'descr': '<f4', 'fortran_order': False, }", make([]byte, 4))},
		{"no dictionary", "where", file("[1, 2]", make([]byte, 4))},
		{"no end", "where", file("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), ", make([]byte, 4))},
		{"an open quote", "unterminated", file("{'descr: <f4", make([]byte, 4))},
		{"a word", "True or False", file("{'fortran_order': Maybe}", make([]byte, 4))},
		{"more text", "text after", file("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } x", make([]byte, 4))},
	} {
		_, _, err := Decode(tc.data)
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), `"<i8"`, "'<i8'"), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
}

func TestEncodePanics(t *testing.T) {
	for _, shape := range [][]int{{3}, {-2, -1}, {math.MaxInt/2 + 1, 4}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("two elements were encoded with shape %v", shape)
				}
			}()
			Encode(shape, make([]float32, 2))
		}()
	}
}

// TestHeadersTakeNoMemory weighs what a file of a hundred bytes that claims gigabytes makes of them.
func TestHeadersTakeNoMemory(t *testing.T) {
	data := file("{'descr': '<f4', 'fortran_order': False, 'shape': (4000000000,), }", make([]byte, 40))
	var err error
	if used := allocation.Of(func() { _, _, err = Decode(data) }); err == nil || used > 1<<20 {
		t.Errorf("%d bytes, %v", used, err)
	}
}

// TestNumPy lets NumPy read ours, and reads NumPy's.
func TestNumPy(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		oracle.Missing(t, "python3 is not installed: %v", err)
	}
	dir := t.TempDir()
	ours, theirs := filepath.Join(dir, "ours.npy"), filepath.Join(dir, "theirs.npy")
	want := []float32{1, -2.5, float32(math.Pi), 0, float32(math.Inf(1)), 1e-40}
	if err := os.WriteFile(ours, Encode([]int{2, 3}, want), 0o600); err != nil {
		t.Fatal(err)
	}
	script := "import sys, numpy; a = numpy.load(sys.argv[1]); assert a.shape == (2, 3) and a.dtype == numpy.float32; numpy.save(sys.argv[2], a)"
	if out, err := exec.CommandContext(t.Context(), python, "-c", "import numpy").CombinedOutput(); err != nil {
		oracle.Missing(t, "no NumPy: %s", out)
	}
	if out, err := exec.CommandContext(t.Context(), python, "-c", script, ours, theirs).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(theirs)
	if err != nil {
		t.Fatal(err)
	}
	shape, got, err := Decode(b)
	if err != nil || !slices.Equal(shape, []int{2, 3}) || !slices.Equal(bits(got), bits(want)) {
		t.Errorf("%v %v, %v", shape, got, err)
	}
	mine, err := os.ReadFile(ours)
	if err != nil || !bytes.Equal(mine, b) {
		t.Errorf("NumPy writes other bytes: %q, ours %q, %v", b[:128], mine[:128], err)
	}
}

// FuzzDecode shows anything to Decode: what it accepts must survive encoding.
func FuzzDecode(f *testing.F) {
	f.Add(Encode([]int{2, 3}, make([]float32, 6)))
	f.Add(Encode(nil, []float32{1}))
	f.Add(file("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }\n", make([]byte, 8)))
	f.Add(append([]byte(magic+"\x02\x00\x3a\x00\x00\x00"), "{'descr': '>f4', 'fortran_order': False, 'shape': (0,), }\n"...))
	f.Fuzz(func(t *testing.T, b []byte) {
		var shape []int
		var data []float32
		var err error
		allocation.Check(t, len(b), 8, func() { shape, data, err = Decode(b) })
		if err != nil {
			return
		}
		if 4*len(data) > len(b) {
			t.Fatalf("%d elements from %d bytes", len(data), len(b))
		}
		again, got, err := Decode(Encode(shape, data))
		if err != nil || !slices.Equal(again, shape) || !slices.Equal(bits(got), bits(data)) {
			t.Fatalf("%v became %v, %v", shape, again, err)
		}
	})
}
