package convert

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"wavemill/audio/dataset"
)

// work does all jobs.
func (p *plan) work(ctx context.Context, m *meter) error {
	if p.writer == nil {
		return p.workFiles(ctx, m)
	}
	config, err := json.Marshal(p.config)
	if err != nil {
		return err
	}
	q := newSequence(p.writer, p.jobs, m)
	group, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, func() { q.fail(ctx.Err()) })
	defer stop()
	var next atomic.Int64
	for range min(p.o.workers(), len(p.jobs)) {
		x, err := newExtractor(*p.config, &p.resamplers)
		if err != nil {
			return err
		}
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(p.jobs) {
					return nil
				}
				if err := p.toShards(ctx, q, x, i, config); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

// directBytes is the size from which the rows of one recording are no longer gathered in memory, but
// written as they come, when it is their turn.
const directBytes = 4 << 20

// toShards does one job. Only failures that end the conversion are returned.
func (p *plan) toShards(ctx context.Context, q *sequence, x *extractor, i int, config json.RawMessage) error {
	j := p.jobs[i]
	var rows []byte
	var count int64
	direct := false
	samples, found, err := x.extract(ctx, j.item.Path, j.item.Size, func(block []float32) error {
		count += int64(len(block) / p.config.Bins())
		rows = dataset.EncodeRows(rows, block)
		if len(rows) < directBytes {
			return nil
		}
		if !direct {
			if err := q.turn(i); err != nil {
				return err
			}
			direct = true
		}
		if err := p.writer.WriteRows(rows); err != nil {
			return &writeError{err}
		}
		rows = rows[:0]
		return nil
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	entry := dataset.Entry{Label: j.item.Label, Source: j.item.Name, Group: j.item.Group, Samples: samples, Config: config}
	return q.deliver(i, result{rows, entry, outcome{rows: count, seconds: float64(samples) / float64(p.rate), truncated: found.truncated, notes: found.notes, skip: err}})
}

// result is what a worker made of a job.
type result struct {
	rows    []byte // What is not yet written.
	entry   dataset.Entry
	outcome outcome
}

// The bounds on what waits for its turn.
const (
	maxWaitingBytes = 24 << 20
	maxWaiting      = 512
)

// sequence puts results into the shards in the order of the jobs, whichever worker is first: so the
// shards do not depend on the number of workers. A worker that is far ahead waits.
type sequence struct {
	w       *dataset.ShardWriter
	jobs    []job
	m       *meter
	mu      sync.Mutex
	changed *sync.Cond
	next    int // The job whose turn it is.
	waiting map[int]result
	bytes   int
	err     error
}

func newSequence(w *dataset.ShardWriter, jobs []job, m *meter) *sequence {
	q := &sequence{w: w, jobs: jobs, m: m, waiting: map[int]result{}}
	q.changed = sync.NewCond(&q.mu)
	return q
}

// fail makes all that wait give up.
func (q *sequence) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.err = err
	}
	q.changed.Broadcast()
}

// turn waits until it is job i's turn. From then on the writer is its own until it delivers.
func (q *sequence) turn(i int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.next != i && q.err == nil {
		q.changed.Wait()
	}
	return q.err
}

// deliver hands over a job's result. The first in turn is written at once, and with it all that
// wait behind it.
func (q *sequence) deliver(i int, r result) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.next != i && q.err == nil && (q.bytes+len(r.rows) > maxWaitingBytes || len(q.waiting) >= maxWaiting) {
		q.changed.Wait()
	}
	if q.err != nil {
		return q.err
	}
	q.waiting[i] = r
	q.bytes += len(r.rows)
	for {
		r, ok := q.waiting[q.next]
		if !ok {
			return nil
		}
		delete(q.waiting, q.next)
		q.bytes -= len(r.rows)
		if q.err = q.commit(q.next, r); q.err != nil {
			q.changed.Broadcast()
			return q.err
		}
		q.next++
		q.changed.Broadcast()
	}
}

// commit writes one result, or drops what was written of a recording that failed.
func (q *sequence) commit(i int, r result) error {
	j := q.jobs[i]
	if r.outcome.skip != nil {
		if failed, ok := asWriteError(r.outcome.skip); ok {
			return where(j, failed)
		}
		if err := q.w.Abort(); err != nil {
			return where(j, err)
		}
	} else {
		if err := q.w.WriteRows(r.rows); err != nil {
			return where(j, err)
		}
		if err := q.w.Commit(r.entry); err != nil {
			return where(j, err)
		}
	}
	q.m.add(j, r.outcome)
	return nil
}
