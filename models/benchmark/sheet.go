package benchmark

import (
	"bytes"
	"context"
	"fmt"

	"wavemill/audio"
	"wavemill/internal/atomicfile"
	"wavemill/models/comparison"
	"wavemill/models/eval"
	"wavemill/models/report"
)

// sheetEach is how many clips of a label and kind a contact sheet shows.
const sheetEach = 2

// sheet writes a contact sheet of a model beside its checkpoint: held-out recordings, their round trips through its front
// end, and its clips, of each label. There is none where the evaluator made no clips.
func (b *bench) sheet(ctx context.Context, c *comparison.Candidate) error {
	if len(c.Clips) == 0 {
		return nil
	}
	s := report.ContactSheet{
		Title: fmt.Sprintf("%s, %s", c.Name, b.fold.name()),
		Note:  "real: held out; ceiling: round trips",
	}
	recordings, generated := firstOfEach(b.data().HeldOut), firstOfEach(c.Clips)
	for i, of := range recordings {
		trips := make(map[string]audio.Clip, len(of))
		for label, clip := range of {
			back, err := eval.RoundTrip(ctx, c.Checkpoint.FrontEnd, []audio.Clip{clip}, b.seed)
			if err != nil {
				return err
			}
			trips[label] = back[0]
		}
		s.Rows = append(s.Rows, report.SheetRow{Name: fmt.Sprintf("real %d", i+1), Clips: of}, report.SheetRow{Name: fmt.Sprintf("ceiling %d", i+1), Clips: trips})
	}
	for i, of := range generated {
		s.Rows = append(s.Rows, report.SheetRow{Name: fmt.Sprintf("%s %d", c.Name, i+1), Clips: of})
	}
	var png bytes.Buffer
	if err := s.Write(&png); err != nil {
		return err
	}
	return atomicfile.Write(b.file(c.Name, ".png"), png.Bytes(), atomicfile.Options{NoSync: true})
}

// firstOfEach returns the first clips of each label: element i holds clip i of the labels that have so many.
func firstOfEach(clips []audio.Clip) []map[string]audio.Clip {
	out := make([]map[string]audio.Clip, sheetEach)
	for i := range out {
		out[i] = map[string]audio.Clip{}
	}
	count := map[string]int{}
	for _, c := range clips {
		if at := count[c.Label]; at < sheetEach {
			out[at][c.Label] = c
		}
		count[c.Label]++
	}
	return out
}
