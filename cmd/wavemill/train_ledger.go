package main

import (
	"path"
	"path/filepath"
	"strconv"

	"wavemill/models"
	"wavemill/models/metricslog"
	"wavemill/models/monitor"
)

// A ledger is what a training leaves beside its checkpoint: curves, and a TensorBoard run. A nil recorder keeps none.
type ledger struct {
	recorder *metricslog.Recorder
}

// openLedger begins the curves of a training, or goes on with those it has.
func (a *app) openLedger(o trainOptions, j *trainJob) (*ledger, error) {
	l := &ledger{}
	if o.noCurves && o.tensorboard == "" {
		return l, nil
	}
	board := ""
	if o.tensorboard != "" {
		board = filepath.Join(o.tensorboard, filepath.Base(o.stem()))
	}
	var err error
	l.recorder, err = metricslog.Record(o.stem()+".curves", board, j.from())
	return l, err
}

// take is told of every event of the training.
func (l *ledger) take(p models.Progress) {
	if l.recorder != nil {
		l.recorder.Take(p)
	}
}

// show puts an exhibit on the board.
func (l *ledger) show(e monitor.Preview) error {
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

// files are the curves' files.
func (l *ledger) files() (jsonl, csv string) {
	if l.recorder == nil {
		return "", ""
	}
	return l.recorder.JSONL(), l.recorder.CSV()
}

func (l *ledger) close() error {
	if l.recorder == nil {
		return nil
	}
	return l.recorder.Close()
}
