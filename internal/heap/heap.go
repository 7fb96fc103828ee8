// Package heap sets how often the garbage collector runs.
package heap

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// usual is the percentage of the runtime's default: the heap is collected when it has doubled.
const usual = 100

// LetGrow keeps the collector from running before the heap has grown by least bytes since its last run, until stop is called. A
// process with little in memory that passes messages on, of which each leaves garbage, otherwise collects some hundred times a
// second. A heap of more than least bytes is collected when it has doubled, as without it, and the limit of GOMEMLIMIT holds.
// Where the user has set GOGC, nothing is changed.
//
// The percentage is set anew after a collection (runtime.AddCleanup on an object that nothing holds), where it should be another by
// a tenth or more. It is the whole process's: call LetGrow once, from main.
func LetGrow(least uint64) (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	g := &growth{least: least, percent: usual}
	g.adapt()
	g.afterCollection()
	return g.stop
}

// growth is what one call of LetGrow has set.
type growth struct {
	least uint64

	mu      sync.Mutex
	percent int
	stopped bool
}

// afterCollection calls adapt after the next collection and those that follow.
func (g *growth) afterCollection() {
	// More than 16 bytes, and with a pointer: the runtime packs smaller objects together, and frees them late.
	marker := &struct{ of [4]*growth }{}
	runtime.AddCleanup(marker, func(g *growth) {
		if g.adapt() {
			g.afterCollection()
		}
	}, g)
}

// adapt sets the percentage for what is in memory, and returns false after stop.
func (g *growth) adapt() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return false
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	percent := percentFor(g.least, live[0].Value.Uint64())
	if 10*percent < 9*g.percent || 10*percent > 11*g.percent {
		g.percent = percent
		debug.SetGCPercent(percent)
	}
	return true
}

func (g *growth) stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.stopped {
		g.stopped = true
		debug.SetGCPercent(usual)
	}
}

// smallest is the live heap below which the runtime does not collect at its usual percentage, 4 MiB.
const smallest = 4 << 20

// percentFor is the percentage by which a live heap may grow: that of least bytes, but no less than usual.
func percentFor(least, live uint64) int {
	return int(max(usual, least*100/max(live, smallest)))
}
