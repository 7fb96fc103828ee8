package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// ranger is a piece of parallel work: do computes items lo to hi.
type ranger interface{ do(lo, hi int) }

// task is one call of parallel. The caller works on it like any worker, so that a
// call never waits for a worker to become free, and calls may nest.
type task struct {
	r            ranger
	n, grain     int
	chunks       int64
	next         atomic.Int64 // next chunk to claim
	helpers      atomic.Int64 // workers inside; changed with the crew's lock held
	maxHelpers   int64
	waiting      bool // the caller is parked; with the lock held
	done         chan struct{}
	panicMu      sync.Mutex
	panicked     bool
	panicMessage any
}

// work claims chunks until there are none.
func (t *task) work() {
	defer t.rescue()
	for {
		i := t.next.Add(1) - 1
		if i >= t.chunks {
			return
		}
		lo := int(i) * t.grain
		t.r.do(lo, min(lo+t.grain, t.n))
	}
}

// rescue keeps the first panic for the caller and abandons the other chunks.
func (t *task) rescue() {
	if r := recover(); r != nil {
		t.next.Store(t.chunks)
		t.panicMu.Lock()
		defer t.panicMu.Unlock()
		if !t.panicked {
			t.panicked, t.panicMessage = true, r
		}
	}
}

func (t *task) exhausted() bool { return t.next.Load() >= t.chunks }

// crew is the worker goroutines. Between two tasks a worker spins for spinTime,
// because waking a parked one takes longer than many tasks; then it parks.
type crew struct {
	mu       sync.Mutex
	wake     sync.Cond
	tasks    []*task // with chunks left to claim, as far as is known
	ready    atomic.Int64
	workers  int
	parked   int
	stopping bool
	stopped  sync.Cond
	spare    []*task
}

const (
	spinTime  = 200 * time.Microsecond // a worker's, before it parks
	waitTime  = 50 * time.Microsecond  // a caller's, for workers to finish their last chunks
	spinRound = 20                     // pauses between two looks, about a microsecond
)

var workers = newCrew()

func newCrew() *crew {
	c := &crew{}
	c.wake.L, c.stopped.L = &c.mu, &c.mu
	return c
}

// parallel runs r over [0, n) in chunks of grain.
func parallel(n, grain int, r ranger) {
	if n <= 0 {
		return
	}
	grain = max(grain, 1)
	helpers := min(Threads(), (n+grain-1)/grain) - 1
	if helpers <= 0 {
		for lo := 0; lo < n; lo += grain {
			r.do(lo, min(lo+grain, n))
		}
		return
	}
	t := workers.submit(n, grain, helpers, r)
	t.work()
	workers.finish(t)
}

// submit offers a task to the workers, and starts workers that are missing.
func (c *crew) submit(n, grain, helpers int, r ranger) *task {
	c.mu.Lock()
	defer c.mu.Unlock()
	var t *task
	if k := len(c.spare); k > 0 {
		t, c.spare = c.spare[k-1], c.spare[:k-1]
	} else {
		t = &task{done: make(chan struct{}, 1)}
	}
	t.r, t.n, t.grain = r, n, grain
	t.chunks, t.maxHelpers = int64((n+grain-1)/grain), int64(helpers)
	t.next.Store(0)
	t.panicked, t.panicMessage = false, nil
	if !c.stopping {
		for c.workers < helpers {
			c.workers++
			go c.run()
		}
	}
	c.tasks = append(c.tasks, t)
	c.ready.Add(1)
	for range min(helpers, c.parked) {
		c.wake.Signal()
	}
	return t
}

// take joins the oldest task that wants another helper.
func (c *crew) take() *task {
	if c.ready.Load() == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.takeLocked()
}

func (c *crew) takeLocked() *task {
	for i := 0; i < len(c.tasks); {
		t := c.tasks[i]
		if t.exhausted() {
			c.remove(i)
			continue
		}
		if t.helpers.Load() < t.maxHelpers {
			t.helpers.Add(1)
			return t
		}
		i++
	}
	return nil
}

func (c *crew) remove(i int) {
	c.tasks = append(c.tasks[:i], c.tasks[i+1:]...)
	c.ready.Add(-1)
}

// leave reports that a worker has no more to do with t.
func (c *crew) leave(t *task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.helpers.Add(-1) == 0 && t.waiting {
		t.waiting = false
		t.done <- struct{}{}
	}
}

// finish waits until no worker is inside t, recycles it and passes on its panic.
func (c *crew) finish(t *task) {
	c.mu.Lock()
	for i, u := range c.tasks {
		if u == t {
			c.remove(i)
			break
		}
	}
	c.mu.Unlock()
	spin(waitTime, func() bool { return t.helpers.Load() == 0 })
	c.mu.Lock()
	if t.helpers.Load() > 0 {
		t.waiting = true
		c.mu.Unlock()
		<-t.done
		c.mu.Lock()
	}
	t.r = nil
	panicked, message := t.panicked, t.panicMessage
	c.spare = append(c.spare, t)
	c.mu.Unlock()
	if panicked {
		panic(message)
	}
}

// spin looks for done to become true for at most d. It lets other goroutines run
// now and then.
func spin(d time.Duration, done func() bool) {
	if done() {
		return
	}
	start := time.Now()
	for i := 1; ; i++ {
		pause(spinRound)
		if done() {
			return
		}
		if i%8 == 0 {
			runtime.Gosched()
			if time.Since(start) > d {
				return
			}
		}
	}
}

// run is a worker's life.
func (c *crew) run() {
	for {
		var t *task
		spin(spinTime, func() bool {
			t = c.take()
			return t != nil
		})
		if t == nil {
			if t = c.park(); t == nil {
				return
			}
		}
		t.work()
		c.leave(t)
	}
}

// park sleeps until there is a task; nil means that the worker shall end.
func (c *crew) park() *task {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.parked++
	defer func() { c.parked-- }()
	for !c.stopping {
		if t := c.takeLocked(); t != nil {
			return t
		}
		c.wake.Wait()
	}
	c.workers--
	if c.workers == 0 {
		c.stopped.Broadcast()
	}
	return nil
}

// StopWorkers ends the worker goroutines and returns when they have ended; the
// next operation starts them again. Call it before a check for leaked goroutines:
//
//	func TestMain(m *testing.M) {
//		code := m.Run()
//		kernel.StopWorkers()
//		if err := goleak.Find(); code == 0 && err != nil {
//			fmt.Fprintln(os.Stderr, err)
//			code = 1
//		}
//		os.Exit(code)
//	}
//
// In a single test defer it after goleak.VerifyNone has been deferred. It must
// not be called from within Parallel.
func StopWorkers() {
	c := workers
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopping = true
	c.wake.Broadcast()
	for c.workers > 0 {
		c.stopped.Wait()
	}
	c.stopping = false
}
