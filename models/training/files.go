package training

import (
	"fmt"
	"path"
	"strconv"

	"wavemill/internal/atomicfile"
	"wavemill/models"
	"wavemill/models/metricslog"
	"wavemill/models/monitor"
)

// Files are what a training writes beside its checkpoint. The zero value writes none.
type Files struct {
	// Curves is the path, without extension, of the figures by step: PATH.jsonl and PATH.csv. A training that is resumed
	// appends to them. "" writes none, and no Tensorboard either.
	Curves string
	// Tensorboard is the folder of the event file, a run of TensorBoard; "" writes none.
	Tensorboard string
	// Previews is the folder for a picture and WAVs of the same clips at every evaluation, see [monitor.PreviewWriter]; ""
	// writes none.
	Previews string
}

// fileLog writes Files.
type fileLog struct {
	files    Files
	recorder *metricslog.Recorder // nil: no curves
}

// previews returns what writes previews; nil: nothing does.
func (l *fileLog) previews() *monitor.PreviewWriter {
	if l.files.Previews == "" && l.files.Tensorboard == "" {
		return nil
	}
	return &monitor.PreviewWriter{Dir: l.files.Previews, Show: l.show}
}

// check refuses folders that no files can be written into. The error begins with the name of the field as command lines
// spell it.
func (f Files) check() error {
	for _, folder := range []struct{ field, dir string }{{"previews", f.Previews}, {"tensorboard", f.Tensorboard}} {
		if folder.dir == "" {
			continue
		}
		if err := atomicfile.TryFolder(folder.dir); err != nil {
			return fmt.Errorf("%s: %s: %w: %w; name another one", folder.field, folder.dir, ErrFolder, err)
		}
	}
	return nil
}

// open begins the curves of a training that goes on after a step, or anew for -1.
func (l *fileLog) open(from int64) (err error) {
	if err := l.files.check(); err != nil {
		return fmt.Errorf("training: %w", err)
	}
	if l.files.Curves != "" {
		l.recorder, err = metricslog.Record(l.files.Curves, l.files.Tensorboard, from)
	}
	return err
}

// take adds an event of the training.
func (l *fileLog) take(p models.Progress) {
	if l.recorder != nil {
		l.recorder.Take(p)
	}
}

// show adds a preview to the TensorBoard run.
func (l *fileLog) show(e monitor.Preview) error {
	if l.recorder == nil || l.recorder.Board() == nil {
		return nil
	}
	board := l.recorder.Board()
	if err := board.Picture(e.Step, "previews", e.Picture); err != nil {
		return err
	}
	for _, s := range e.Sounds {
		tag := path.Join("previews", s.Label, strconv.Itoa(s.Number))
		if err := board.Sound(e.Step, tag, s.Clip.Rate, s.Clip.Channels, s.Clip.Frames(), s.WAV); err != nil {
			return err
		}
	}
	return nil
}

// close ends the files and puts their names into the result, with the first error: curves are no reason to lose a model.
func (l *fileLog) close(r *Result) {
	if l.recorder == nil {
		return
	}
	r.CurvesErr = l.recorder.Close()
	r.CurvesJSONL, r.CurvesCSV = l.recorder.JSONL(), l.recorder.CSV()
}
