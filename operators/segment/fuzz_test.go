package segment

import (
	"log/slog"
	"testing"

	"wavemill/audio/slice"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// Whatever the headers and the body of chunks say, a fold neither fails nor keeps more than its limits.
func FuzzFold(f *testing.F) {
	f.Add("0", "audio/L16; rate=8000; channels=1", "true", []byte{1, 2, 3, 4}, uint8(3))
	f.Add("7", "audio/pcm; rate=1000; channels=2; encoding=f32le", "", []byte{0, 0, 0, 63, 0, 0, 0, 63}, uint8(9))
	f.Add("-1", "audio/wav", "perhaps", []byte("RIFF"), uint8(0))
	f.Fuzz(func(t *testing.T, number, kind, last string, body []byte, n uint8) {
		config := defaults()
		config.Reorder, config.MaxSources = 2, 2
		fold := &fold{config: config, cut: slice.Defaults(slice.Length), log: slog.New(slog.DiscardHandler), sessions: map[string]*session{}}
		for i := range uint64(n%16) + 1 {
			m := &pipeline.Message{
				ID: string(rune('a' + i%3)), Sequence: i + 1, Label: "x", Body: body,
				Header: map[string]string{header.Chunk: number, header.Source: string(rune('a' + i%3)), header.ContentType: kind, header.Last: last},
			}
			if i%4 == 3 {
				m.Header[header.Chunk] = "5"
			}
			if o := fold.feed(t.Context(), m); o.err != nil && len(o.clips) > 0 && m.Header[header.Chunk] == number && len(body) == 0 {
				t.Errorf("clips of an empty chunk: %v", o.err)
			}
			if len(fold.sessions) > config.MaxSources {
				t.Fatalf("%d sources", len(fold.sessions))
			}
			for _, s := range fold.sessions {
				if len(s.waits) > config.Reorder+1 || len(s.waits) != len(s.Waits) {
					t.Fatalf("%d chunks wait, %d are noted", len(s.waits), len(s.Waits))
				}
			}
		}
	})
}
