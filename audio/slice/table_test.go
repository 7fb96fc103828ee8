package slice_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"wavemill/audio/slice"
	"wavemill/internal/allocation"
)

func TestParseTable(t *testing.T) {
	want := []slice.Row{{Start: 0.5, End: 1.25, Label: "kick"}, {Start: 62.5, End: 63, Label: "große Trommel"}}
	for name, text := range map[string]string{
		"comma":     "start,end,label\n62.5,63,große Trommel\n0.5,1.25,kick\n",
		"CR alone":  "label,start,end\rgroße Trommel,62.5,63\rkick,0.5,1.25\r",
		"semicolon": "\ufeffLabel;Begin;End\r\ngroße Trommel;1:02,5;63,0\r\n\r\nkick;0,5;1,25\r\n",
		"Audacity":  "0.500000\t1.250000\tkick\n\\\t100.0\t200.0\n62.500000\t63.000000\tgroße Trommel\n",
		"hours":     "start\tend\tlabel\n0:00:00.5\t0:00:01.25\tkick\n0:01:02.5\t0:01:03\tgroße Trommel",
	} {
		rows, bad, err := slice.ParseTable([]byte(text))
		for i := range rows {
			rows[i].Line = 0
		}
		if err != nil || len(bad) > 0 || !reflect.DeepEqual(rows, want) {
			t.Errorf("%s: %+v, %+v, %v", name, rows, bad, err)
		}
	}
	rows, bad, err := slice.ParseTable([]byte("file,start,end\na.wav,0,1\nb.wav,1,1\nc.wav,x,2\nd.wav,0,1000\ne.wav,-1,2\nf.wav\n"))
	if err != nil || len(rows) != 1 || rows[0].File != "a.wav" || rows[0].Line != 2 || len(bad) != 5 || bad[0].Line != 3 || !strings.Contains(bad[0].Reason, "not after") {
		t.Errorf("%+v, %+v, %v", rows, bad, err)
	}
	for _, text := range []string{"a,b,c\n1,2,3\n", "start,end\nx,y\n", "\xff\xfe0\x00", "\x80,\x81"} {
		if _, _, err := slice.ParseTable([]byte(text)); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func FuzzParseTable(f *testing.F) {
	f.Add("start,end,label\n0.5,1.25,kick\n")
	f.Add("0.5\t1\tx\n\\\t1\t2\n\"")
	f.Fuzz(func(t *testing.T, text string) {
		var rows []slice.Row
		var err error
		// A line of a byte is a row that cannot be used, with its reason.
		allocation.Check(t, len(text), 2000, func() { rows, _, err = slice.ParseTable([]byte(text)) })
		if err != nil && len(rows) > 0 {
			t.Error("rows and an error")
		}
		for i, r := range rows {
			if !(r.Start >= 0 && r.End > r.Start && r.End-r.Start <= slice.LongestClip.Seconds()) || i > 0 && r.Start < rows[i-1].Start {
				t.Errorf("%+v", r)
			}
		}
	})
}

func TestRows(t *testing.T) {
	x := make([]float32, 2*1000*10)
	for i := range x {
		x[i] = float32(i%999)/999 - 0.5
	}
	for i := 2 * 4000; i < 2*5000; i++ {
		x[i] = 0
	}
	rows := []slice.Row{
		{Line: 2, Start: 0, End: 1, Label: "a"},
		{Line: 5, Start: 0.5, End: 9.5, Label: "b"},
		{Line: 3, Start: 0.5, End: 0.75},
		{Line: 4, Start: 4.1, End: 4.9, Label: "silent"},
		{Line: 6, Start: 9, End: 11, Label: "cut"},
		{Line: 7, Start: 12, End: 13},
	}
	type clip struct {
		row        int
		start, end int64
		label      string
	}
	want := []clip{{3, 500, 750, ""}, {2, 0, 1000, "a"}, {5, 500, 9500, "b"}, {6, 9000, 10000, "cut"}}
	for _, block := range []int{1, 777, 100000} {
		s, err := slice.NewTable(rows, -60, 1000, 2)
		if err != nil {
			t.Fatal(err)
		}
		var got []clip
		emit := func(c slice.Clip) error {
			if !slices.Equal(c.Samples, x[2*c.Start:2*c.End]) {
				t.Errorf("row %d is not its part of the audio", c.Row)
			}
			got = append(got, clip{c.Row, c.Start, c.End, c.Label})
			return nil
		}
		for at := 0; at < len(x); at += 2 * block {
			if err := s.Write(x[at:min(len(x), at+2*block)], emit); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(emit); err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(got, func(a, b clip) int { return int(a.end - b.end) })
		if !reflect.DeepEqual(got, want) {
			t.Errorf("blocks of %d: %+v", block, got)
		}
		if n := s.Counts(); n.Clips != 4 || n.Silent != 1 || n.Kept != 10000 || n.Frames != 10000 {
			t.Errorf("%+v", n)
		}
		if late := s.Beyond(); len(late) != 2 || late[0].Line != 6 || late[1].Line != 7 {
			t.Errorf("%+v", late)
		}
	}
	s, err := slice.NewTable(rows, -60, 1000, 2)
	if err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	if err := s.Write(x, func(slice.Clip) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
}
