package heap

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestPercentFor(t *testing.T) {
	for _, c := range []struct {
		live uint64
		want int
	}{{0, 1600}, {1 << 20, 1600}, {16 << 20, 400}, {64 << 20, 100}, {1 << 30, 100}} {
		if got := percentFor(64<<20, c.live); got != c.want {
			t.Errorf("%d bytes in memory: %d, want %d", c.live, got, c.want)
		}
	}
}

// kept holds what a test keeps in memory.
type kept struct{ blocks [][]byte }

func (k *kept) garbage(n int) {
	k.blocks = [][]byte{nil}
	for range n >> 14 {
		k.blocks[0] = make([]byte, 1<<14)
	}
}

func collections(work func()) uint32 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	work()
	runtime.ReadMemStats(&after)
	return after.NumGC - before.NumGC
}

// A small heap is collected every 64 MiB of garbage instead of every 4; a large one as ever, and after stop all are.
func TestLetGrow(t *testing.T) {
	t.Setenv("GOGC", "")
	var k kept
	runtime.GC()
	usually := collections(func() { k.garbage(512 << 20) })
	stop := LetGrow(64 << 20)
	defer stop()
	runtime.GC()
	if n := collections(func() { k.garbage(512 << 20) }); n > 16 || 2*n > usually {
		t.Errorf("%d collections for 512 MiB of garbage, usually %d", n, usually)
	}
	k.blocks = append(k.blocks, make([]byte, 256<<20)) // It lives.
	percent := 0
	for deadline := time.Now().Add(10 * time.Second); percent != usual && time.Now().Before(deadline); {
		runtime.GC()
		runtime.Gosched()
		percent = debug.SetGCPercent(usual)
		debug.SetGCPercent(percent)
	}
	if percent != usual {
		t.Errorf("with 256 MiB in memory, a heap may grow by %d %%, want %d", percent, usual)
	}
	runtime.KeepAlive(k.blocks)
	k.blocks = nil
	stop()
	runtime.GC()
	if got := debug.SetGCPercent(usual); got != usual {
		t.Errorf("after stop, a heap may grow by %d %%", got)
	}
}

func TestGOGCIsTheUsers(t *testing.T) {
	t.Setenv("GOGC", "50")
	stop := LetGrow(64 << 20)
	defer stop()
	if got := debug.SetGCPercent(usual); got != usual {
		t.Errorf("the percentage is %d though GOGC is set", got)
	}
}
