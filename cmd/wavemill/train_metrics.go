package main

import (
	"path"
	"path/filepath"
	"strconv"

	"wavemill/models"
	"wavemill/models/metricslog"
	"wavemill/models/monitor"
)

// A metricsLog is what a training leaves beside its checkpoint: curves, and a TensorBoard run. A nil recorder keeps none.
type metricsLog struct {
	recorder *metricslog.Recorder
}

// open begins the curves of a training that goes on after a step, or anew for -1.
func (l *metricsLog) open(o trainOptions, from int64) (err error) {
	if o.noCurves && o.tensorboard == "" {
		return nil
	}
	board := ""
	if o.tensorboard != "" {
		board = filepath.Join(o.tensorboard, filepath.Base(o.stem()))
	}
	l.recorder, err = metricslog.Record(o.stem()+".curves", board, from)
	return err
}

// take adds an event of the training.
func (l *metricsLog) take(p models.Progress) {
	if l.recorder != nil {
		l.recorder.Take(p)
	}
}

// show adds a preview to the TensorBoard run.
func (l *metricsLog) show(e monitor.Preview) error {
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

// files are the files of the curves.
func (l *metricsLog) files() (jsonl, csv string) {
	if l.recorder == nil {
		return "", ""
	}
	return l.recorder.JSONL(), l.recorder.CSV()
}

func (l *metricsLog) close() error {
	if l.recorder == nil {
		return nil
	}
	return l.recorder.Close()
}
