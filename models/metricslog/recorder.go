package metricslog

import (
	"errors"
	"maps"
	"time"

	"wavemill/models"
)

// A Recorder writes the figures of one training from the Trainer's events. Steps only rise: when training goes back to a
// step, or is resumed from it, later rows are removed. It is not safe for concurrent use.
type Recorder struct {
	log      *Log
	board    *Board // nil: none
	dir      string // of board
	follower Follower
	next     Row // of the newest step: events of one step make one row
	pending  bool
	err      error
}

// Record writes to PATH.jsonl and PATH.csv and, if dir is not empty, to an event file in dir. It continues after the step
// from; a negative one begins anew.
func Record(path, dir string, from int64) (*Recorder, error) {
	log, err := Open(path, from)
	if err != nil {
		return nil, err
	}
	r := &Recorder{log: log, dir: dir, follower: Follower{Earlier: time.Duration(log.Last().Seconds * float64(time.Second))}}
	if dir != "" {
		if r.board, err = OpenBoard(dir, from); err != nil {
			return nil, errors.Join(err, log.file.Close())
		}
	}
	return r, nil
}

// JSONL returns the path of the file of JSON lines.
func (r *Recorder) JSONL() string { return r.log.JSONL() }

// CSV returns the path of the table.
func (r *Recorder) CSV() string { return r.log.CSV() }

// Board returns the event file, to which the caller may add pictures and sounds; nil if there is none.
func (r *Recorder) Board() *Board { return r.board }

// Take records an event. The first error is kept for Err, so that a failed log does not stop the training.
func (r *Recorder) Take(p models.Progress) {
	row, ok := r.follower.Row(p)
	if p.Event == models.EventRollback {
		r.keep(r.cut(p.Step))
	}
	switch {
	case !ok:
	case r.pending && row.Step == r.next.Step:
		maps.Copy(r.next.Values, row.Values)
		r.next.Notes = append(r.next.Notes, row.Notes...)
	case row.Step <= r.log.Last().Step && p.Event != models.EventRollback: // an evaluation that a resumed run repeats
	default:
		r.flush()
		r.next, r.pending = row, true
	}
	if p.Event == models.EventSave || p.Event == models.EventDone || p.Event == models.EventRollback {
		r.flush()
		r.keep(r.log.Flush())
	}
}

// flush writes the row of the newest step.
func (r *Recorder) flush() {
	if !r.pending {
		return
	}
	r.pending = false
	r.keep(r.log.Add(r.next))
	if r.board != nil {
		r.keep(r.board.Add(r.next))
	}
}

// cut goes back to a step.
func (r *Recorder) cut(step int64) error {
	if r.pending && r.next.Step > step {
		r.pending = false
	}
	r.flush()
	if err := r.log.file.Close(); err != nil {
		return err
	}
	log, err := Open(r.log.path, step)
	if err != nil {
		return err
	}
	r.log = log
	if r.board == nil {
		return nil
	}
	if err := r.board.Close(); err != nil {
		return err
	}
	board, err := openBoard(r.dir, step, r.board.now)
	if err != nil {
		return err
	}
	r.board = board
	return nil
}

func (r *Recorder) keep(err error) {
	if r.err == nil {
		r.err = err
	}
}

// Err returns the first error, such as that of a full disk.
func (r *Recorder) Err() error { return r.err }

// Close writes the remaining rows and closes the files.
func (r *Recorder) Close() error {
	r.flush()
	err := errors.Join(r.err, r.log.Close())
	if r.board != nil {
		err = errors.Join(err, r.board.Close())
	}
	return err
}
