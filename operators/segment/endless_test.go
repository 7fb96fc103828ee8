package segment_test

import (
	"os"
	"runtime"
	"slices"
	"testing"

	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// TestEndless sends an hour of audio in chunks of a second. Memory must not grow with it, and the clips must be those that the
// engine cuts of the hour as a whole. It takes a minute, and runs with WAVEMILL_ENDLESS=1: make test-endless.
func TestEndless(t *testing.T) {
	if os.Getenv("WAVEMILL_ENDLESS") == "" {
		t.Skip("an hour of audio: make test-endless")
	}
	_, bus := serve(t, "{}")
	start(t, bus)
	minute := audio(t, 8, 60)
	heap := func() uint64 {
		settled(t, bus)
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var early uint64
	for n := range 3600 {
		k := n % 60 * 8000
		var extra map[string]string
		if n == 3599 {
			extra = last
		}
		publish(t, bus, "mic", n, pcm(minute[k:k+8000]), extra)
		if n == 600 {
			early = heap()
		}
	}
	late := heap()
	t.Logf("heap after 10 minutes %d KiB, after an hour %d KiB", early>>10, late>>10)
	if late > early+16<<20 {
		t.Errorf("the heap grew from %d to %d KiB", early>>10, late>>10)
	}
	var got []string
	for m, err := range bus.Messages(t.Context(), pipeline.Subscription{Stream: pipeline.TypeAudio, From: 1, Last: true}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.Header[header.Start]+" "+m.Header[header.End])
	}
	if want := wanted(t, slices.Repeat(minute, 60)); !slices.Equal(got, want) {
		t.Errorf("%d clips, want %d", len(got), len(want))
	} else {
		t.Logf("%d clips", len(got))
	}
}
