package kernel

import (
	"runtime"
	"sync/atomic"
)

var threads atomic.Int64

// SetThreads sets how many goroutines an operation may use, the caller's
// included; n < 1 means GOMAXPROCS. Results do not depend on it. It may be called
// at any time; running operations are not affected.
func SetThreads(n int) { threads.Store(int64(n)) }

// Threads returns how many goroutines an operation may use.
func Threads() int {
	if n := threads.Load(); n >= 1 {
		return int(n)
	}
	return runtime.GOMAXPROCS(0)
}

// Parallel calls f for consecutive ranges [lo, hi) that cover [0, n), each grain
// long but for the last, on up to Threads() goroutines, and returns when all
// calls have returned. Each range starts at a multiple of grain whatever the
// number of threads: a reduction that keeps one partial result per range and adds
// them in order does not depend on it. A panic in f is raised again in the
// caller. f may call Parallel.
func Parallel(n, grain int, f func(lo, hi int)) {
	parallel(n, grain, rangeFunc(f))
}

type rangeFunc func(lo, hi int)

func (f rangeFunc) do(lo, hi int) { f(lo, hi) }

// inlineWork is the work, in floating-point operations, below which handing out
// costs more than it saves.
const inlineWork = 1 << 19

// parallelWork is Parallel with a grain of one, but runs jobs of little work on
// the caller alone.
func parallelWork(n int, work float64, r ranger) {
	if work < inlineWork || n <= 1 {
		r.do(0, n)
		return
	}
	parallel(n, 1, r)
}
