package segment_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"wavemill/operators/segment"
)

// byLength cuts after every two seconds.
const byLength = "{by: length, max: 2s, reorder: 2, max_sources: 2, checkpoint: 20ms, lease: 300ms}"

// tone is a chunk of one second.
func tone() []byte {
	x := make([]float32, 8000)
	for i := range x {
		x[i] = 0.25 * float32(i%20-10) / 10
	}
	return pcm(x)
}

// A source that has ended stays so over restarts, with and without the stored state: its late chunks are dead letters, and no
// clip is there twice.
func TestEndedSourcesAndRestarts(t *testing.T) {
	second := tone()
	for _, lose := range []bool{false, true} {
		_, bus := serve(t, byLength)
		session := func(send func()) {
			_, stop := start(t, bus)
			send()
			settled(t, bus)
			stop()
			if lose {
				if err := bus.JetStream().DeleteKeyValue(t.Context(), segment.Bucket("mill")); err != nil {
					t.Fatal(err)
				}
			}
		}
		session(func() {
			publish(t, bus, "solo", 0, second, nil)
			publish(t, bus, "solo", 2, second, last)
			publish(t, bus, "other", 1, second, last)
			publish(t, bus, "other", 0, second, nil) // Taken before its turn.
		})
		want := clips(t, bus)
		if len(want) != 3 {
			t.Fatalf("%d clips", len(want))
		}
		for n, extra := range []map[string]string{{"id": "late"}, {"id": "later"}} {
			session(func() { publish(t, bus, "solo", 1, second[:len(second)-2*n], extra) })
		}
		dead := letters(t, bus)
		if got := clips(t, bus); !maps.Equal(got, want) || len(dead) != 2 || !strings.Contains(dead[0], "ended with chunk 2") {
			t.Errorf("state lost %v: %d clips, want %d; dead letters %q", lose, len(got), len(want), dead)
		}
		session(func() { publish(t, bus, "solo", 0, second, map[string]string{"id": "again", "Wavemill-Last": "true"}) })
		if got := clips(t, bus); len(got) != len(want)+1 || len(letters(t, bus)) != 2 {
			t.Errorf("state lost %v: the source begins again: %d clips, dead letters %q", lose, len(got), letters(t, bus))
		}
	}
}

// A process that is killed while the end of a source waits for a missing chunk makes the same of it later.
func TestKillWhileTheEndWaits(t *testing.T) {
	second := tone()
	url, bus := serve(t, byLength)
	publish(t, bus, "a", 0, second, nil)
	publish(t, bus, "a", 2, second, last)
	kill := spawn(t, url, byLength)
	eventually(t, "the end is delivered", func() bool {
		s := bus.Spec()
		c, err := bus.JetStream().Consumer(t.Context(), s.StreamName(segment.TypeTake), s.ConsumerName("segment"))
		return err == nil && c.CachedInfo().Delivered.Stream >= 2
	})
	kill()
	publish(t, bus, "a", 1, second, nil)
	began := time.Now()
	_, stop := start(t, bus)
	settled(t, bus)
	stop()
	t.Logf("settled after %v", time.Since(began))
	got := slices.Sorted(maps.Values(clips(t, bus)))
	if len(got) != 2 || !strings.Contains(got[0], "[0, 2)") || !strings.Contains(got[1], "[2, 3)") || len(letters(t, bus)) > 0 {
		t.Errorf("%d clips, dead letters %q", len(got), letters(t, bus))
	}
}
