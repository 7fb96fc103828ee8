package convert

import (
	"sync"
	"time"

	"wavemill/audio/dataset"
)

// meter counts what is done and reports it.
type meter struct {
	mu           sync.Mutex
	report       func(Progress)
	begin        time.Time
	last         time.Time
	total        int
	bytes        int64 // Of all files.
	passed       int64 // Bytes of finished files.
	converted    int
	truncated    int
	clipped      int64
	clippedFiles int
	faults       []dataset.Skip // What the notes of decoded files say.
	rows         int64
	seconds      float64
	finished     []job
	skipped      []dataset.Skip
	before       int // Files that the scan left out.
}

// reportEvery is the least time between two reports.
const reportEvery = 100 * time.Millisecond

func newMeter(jobs []job, before int, report func(Progress)) *meter {
	m := &meter{report: report, begin: time.Now(), total: len(jobs), before: before}
	for _, j := range jobs {
		m.bytes += j.item.Size
	}
	return m
}

// outcome is what came of one job.
type outcome struct {
	rows      int64
	seconds   float64
	truncated bool
	notes     []string // About the file, from its decoder.
	clipped   int64
	skip      error // Why it was skipped, nil when it was converted.
}

// add counts a finished job.
func (m *meter) add(j job, o outcome) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.passed += j.item.Size
	if o.skip != nil {
		m.skipped = append(m.skipped, dataset.Skip{Path: j.item.Path, Reason: reason(j.item.Path, o.skip)})
	} else {
		m.converted++
		m.rows += o.rows
		m.seconds += o.seconds
		if o.truncated {
			m.truncated++
		}
		if m.clipped += o.clipped; o.clipped > 0 {
			m.clippedFiles++
		}
		for _, note := range o.notes {
			m.faults = append(m.faults, dataset.Skip{Path: j.item.Path, Reason: note, Partial: o.truncated})
		}
		m.finished = append(m.finished, j)
	}
	if now := time.Now(); m.report != nil && now.Sub(m.last) >= reportEvery {
		m.last = now
		m.report(m.progress(now))
	}
}

// finish reports the end.
func (m *meter) finish() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.report != nil {
		m.report(m.progress(time.Now()))
	}
}

func (m *meter) progress(now time.Time) Progress {
	p := Progress{
		Done: m.converted + len(m.skipped), Total: m.total, Skipped: m.before + len(m.skipped),
		Seconds: m.seconds, Elapsed: now.Sub(m.begin), Left: -1,
	}
	if s := p.Elapsed.Seconds(); s > 0 {
		p.Rate = float64(p.Done) / s
	}
	switch {
	case p.Done == p.Total:
		p.Left = 0
	case m.passed > 0:
		p.Left = time.Duration(float64(p.Elapsed) * float64(m.bytes-m.passed) / float64(m.passed))
	}
	return p
}
