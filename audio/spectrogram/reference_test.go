package spectrogram

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// readFloats reads a raw little-endian float32 file of testdata.
func readFloats(t testing.TB, name string) []float32 {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, len(b)/4)
	if _, err := binary.Decode(b, binary.LittleEndian, x); err != nil {
		t.Fatal(err)
	}
	return x
}

// relativeError is the largest difference, relative to the wanted value or to a thousandth of the largest, whichever is
// larger: a value far below its neighbours is rounding noise in float32.
func relativeError(got, want []float32) float64 {
	var peak, worst float64
	for _, v := range want {
		peak = math.Max(peak, math.Abs(float64(v)))
	}
	for i, v := range want {
		d := math.Abs(float64(got[i])-float64(v)) / math.Max(math.Abs(float64(v)), 1e-3*peak)
		worst = math.Max(worst, d)
	}
	return worst
}

// frameError is the largest norm of a frame's difference, relative to the frame's norm: the measure for complex values,
// whose parts cross zero.
func frameError(got, want []float32, frame int) float64 {
	var worst float64
	for ; len(want) > 0; got, want = got[frame:], want[frame:] {
		var diff, norm float64
		for i, v := range want[:frame] {
			d := float64(got[i]) - float64(v)
			diff, norm = diff+d*d, norm+float64(v)*float64(v)
		}
		worst = math.Max(worst, math.Sqrt(diff/norm))
	}
	return worst
}

// TestAgreesWithTorch compares with testdata/dump.py's float64 results of torch.stft and torchaudio.
func TestAgreesWithTorch(t *testing.T) { agrees(t, "testdata/cases.json") }

// TestAgreesWithLibrosa compares with testdata/dump_librosa.py's float64 results of librosa, frames at the edges included.
func TestAgreesWithLibrosa(t *testing.T) { agrees(t, "testdata/librosa.json") }

// agrees compares with the results that an index lists.
func agrees(t *testing.T, index string) {
	t.Helper()
	b, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	var results struct {
		Cases []struct {
			Name, Kind string
			Config     Config
		}
	}
	if err := json.Unmarshal(b, &results); err != nil {
		t.Fatal(err)
	}
	x := readFloats(t, "signal.f32")
	for _, c := range results.Cases {
		t.Run(c.Name, func(t *testing.T) {
			tr, err := New(c.Config)
			if err != nil {
				t.Fatal(err)
			}
			want := readFloats(t, c.Name+".f32")
			var got []float32
			compare := relativeError
			switch c.Kind {
			case "stft":
				got = floats(tr.STFT(nil, x))
				compare = func(got, want []float32) float64 { return frameError(got, want, 2*tr.linear) }
			case "features":
				s, err := tr.Forward(nil, x)
				if err != nil {
					t.Fatal(err)
				}
				got = s.Data
			}
			if len(got) != len(want) {
				t.Fatalf("%d values, want %d", len(got), len(want))
			}
			e := compare(got, want)
			t.Logf("relative error %.2g", e)
			if !(e < 1e-5) {
				t.Errorf("relative error %g, want below 1e-5", e)
			}
		})
	}
}
