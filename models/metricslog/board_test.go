package metricslog

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// The events of testdata/make.py, written here, are the bytes that TensorBoard's own writer gives.
func TestEventsAreTensorBoards(t *testing.T) {
	want, err := os.ReadFile(filepath.Join("testdata", "tensorboard.golden"))
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	for _, event := range [][]byte{
		putString(newEvent(1700000000.25, 0), eventFileVersion, fileVersion),
		summary(1700000001.5, 10, scalarValue("learning_rate", 0.002), scalarValue("train/loss", -12.5), scalarValue("val/zero", 0)),
		summary(1700000002, 300, imageValue("previews", 300, 20, []byte("png"))),
		summary(1700000003, 300, audioValue("previews/three/1", 8000, 1, 4000, []byte("wav"))),
		summary(1700000004, 1<<40, textValue("notes", "- collapse: saw; try: this")),
	} {
		got = appendRecord(got, event)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%x\nwant\n%x", got, want)
	}
	var steps []int64
	for r := bytes.NewReader(want); ; {
		event, err := readRecord(r)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		step, ok := stepOf(event)
		if !ok {
			t.Errorf("not an event: %x", event)
		}
		steps = append(steps, step)
	}
	if !slices.Equal(steps, []int64{0, 10, 300, 300, 1 << 40}) {
		t.Errorf("steps %v", steps)
	}
}

func TestDamagedRecords(t *testing.T) {
	whole := appendRecord(nil, []byte("an event"))
	for i := range whole {
		flipped := slices.Clone(whole)
		flipped[i] ^= 0x10
		if _, err := readRecord(bytes.NewReader(flipped)); !errors.Is(err, errDamaged) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		if _, err := readRecord(bytes.NewReader(whole[:i])); i > 0 && !errors.Is(err, errDamaged) {
			t.Errorf("cut after %d: %v", i, err)
		}
	}
	huge := protowire.AppendFixed64(nil, 1<<60)
	huge = protowire.AppendFixed32(huge, maskedCRC(huge))
	if _, err := readRecord(bytes.NewReader(huge)); !errors.Is(err, errDamaged) {
		t.Errorf("a record beyond all memory: %v", err)
	}
	for _, bad := range [][]byte{{0xff}, {0x10}, {0x0a, 0x05, 1}} {
		if _, ok := stepOf(bad); ok {
			t.Errorf("%x is an event", bad)
		}
	}
}

// A tagged scalar of an event file.
type scalar struct {
	step  int64
	tag   string
	value float32
}

// fields calls f with each field of a message: what it says as bytes, or as a number.
func fields(t *testing.T, b []byte, f func(field protowire.Number, data []byte, v uint64)) {
	t.Helper()
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		b = b[n:]
		var data []byte
		var v uint64
		switch kind {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			data, n = protowire.ConsumeBytes(b)
		case protowire.Fixed32Type:
			var w uint32
			w, n = protowire.ConsumeFixed32(b)
			v = uint64(w)
		default:
			n = protowire.ConsumeFieldValue(field, kind, b)
		}
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		b = b[n:]
		f(field, data, v)
	}
}

// readBoard returns what is in the one event file of a folder: scalars, and the tags of all else.
func readBoard(t *testing.T, dir string) (scalars []scalar, others []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(globEscape(dir), "*"))
	if err != nil || len(names) != 1 {
		t.Fatalf("files %v, %v", names, err)
	}
	file, err := os.Open(names[0])
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for {
		event, err := readRecord(file)
		if errors.Is(err, io.EOF) {
			return scalars, others
		}
		if err != nil {
			t.Fatal(err)
		}
		step, _ := stepOf(event)
		fields(t, event, func(field protowire.Number, data []byte, _ uint64) {
			if field != eventSummary {
				return
			}
			fields(t, data, func(_ protowire.Number, value []byte, _ uint64) {
				s := scalar{step: step}
				is := false
				fields(t, value, func(field protowire.Number, data []byte, v uint64) {
					switch field {
					case valueTag:
						s.tag = string(data)
					case valueSimple:
						s.value, is = math.Float32frombits(uint32(v)), true
					}
				})
				if is {
					scalars = append(scalars, s)
				} else {
					others = append(others, s.tag)
				}
			})
		})
	}
}

func row(step int64) Row {
	return Row{Step: step, Seconds: float64(step) / 2, Values: map[string]float64{"train/loss": float64(-step)}}
}

func TestBoardGoesOnWithoutDuplicates(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a [run]")
	now := func() time.Time { return time.Unix(1700000000, 0) }
	b, err := openBoard(dir, -1, now)
	if err != nil {
		t.Fatal(err)
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 3, 2))); err != nil {
		t.Fatal(err)
	}
	for step := int64(10); step <= 50; step += 10 {
		if err := b.Add(row(step)); err != nil {
			t.Fatal(err)
		}
		if err := b.Picture(step, "previews", picture.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Sound(50, "previews/a/1", 8000, 1, 4, []byte("RIFF")); err != nil {
		t.Fatal(err)
	}
	if err := b.Picture(50, "previews", []byte("no picture")); err == nil {
		t.Error("what is no PNG was written")
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	// Killed while it wrote, after step 30 was saved.
	names, _ := filepath.Glob(filepath.Join(globEscape(dir), "*"))
	f, err := os.OpenFile(names[0], os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("\x09\x00half a record"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if b, err = openBoard(dir, 30, now); err != nil {
		t.Fatal(err)
	}
	r := row(40)
	r.Notes = []string{"rolled back"}
	if err := b.Add(r); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	var steps []int64
	scalars, others := readBoard(t, dir)
	for _, s := range scalars {
		if s.tag != "train/loss" || s.value != float32(-s.step) {
			t.Errorf("%+v", s)
		}
		steps = append(steps, s.step)
	}
	if !slices.Equal(steps, []int64{10, 20, 30, 40}) || strings.Join(others, " ") != "previews previews previews notes" {
		t.Errorf("steps %v, others %v", steps, others)
	}
	if b, err = openBoard(dir, -1, now); err != nil {
		t.Fatal(err)
	}
	b.Close()
	if scalars, _ := readBoard(t, dir); len(scalars) != 0 {
		t.Errorf("begun anew with %v", scalars)
	}
}
