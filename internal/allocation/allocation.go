// Package allocation measures the memory that a parser takes, for tests: a file of a few bytes may declare that gigabytes
// follow.
package allocation

import (
	"errors"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"testing"
)

// Base is what a parser may take whatever its input, in bytes: tables, windows and buffers of a fixed size.
const Base = 16 << 20

// Of returns the bytes that are allocated while f runs, by all goroutines, freed or not. It is an upper bound of what f
// holds at a time.
func Of(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Check runs parse, which reads an input of so many bytes, and reports where it allocates more than Base and times bytes
// for each byte of the input. It returns what was allocated.
func Check(t testing.TB, input, times int, parse func()) uint64 {
	t.Helper()
	used := Of(parse)
	if limit := Base + uint64(times)*uint64(input); used > limit {
		t.Errorf("an input of %d bytes took %d bytes, more than %d (16 MiB and %d for each byte)", input, used, limit, times)
	}
	return used
}

// highWater is the line of /proc/self/status with the most memory that the process ever had in use.
var highWater = regexp.MustCompile(`(?m)^VmHWM:\s*(\d+) kB$`)

// Peak returns the most memory in bytes that this process has had in use, and an error on systems other than Linux. A test
// calls it in the process that it measures: the usage that a parent gets of its child begins with the memory of the parent.
func Peak() (uint64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	m := highWater.FindSubmatch(status)
	if m == nil {
		return 0, errors.New("/proc/self/status has no line VmHWM in kB")
	}
	kib, err := strconv.ParseUint(string(m[1]), 10, 54)
	return kib << 10, err
}
