package segment

import (
	"bytes"
	"encoding/gob"
	"log/slog"
	"strings"
	"testing"

	"wavemill/audio/slice"
	"wavemill/internal/allocation"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// Whatever the headers and the body of chunks say, a fold neither fails nor keeps more than its limits.
func FuzzFold(f *testing.F) {
	f.Add("0", "audio/L16; rate=8000; channels=1", "true", []byte{1, 2, 3, 4}, uint8(3))
	f.Add("7", "audio/pcm; rate=1000; channels=2; encoding=f32le", "", []byte{0, 0, 0, 63, 0, 0, 0, 63}, uint8(9))
	f.Add("-1", "audio/wav", "perhaps", []byte("RIFF"), uint8(0))
	f.Fuzz(func(t *testing.T, number, kind, last string, body []byte, n uint8) {
		// A few bytes of these are minutes of silence: the targets of audio/codec bound what they take.
		compressed := strings.Contains(string(body), "fLaC") || strings.Contains(string(body), "OggS")
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
			var o outcome
			if compressed {
				o = fold.feed(t.Context(), m)
			} else {
				// Samples of 4 bytes for each byte, kept by the source and by the clips; a header of each message.
				size := len(body) + len(number) + len(kind) + len(last)
				allocation.Check(t, size, 100, func() { o = fold.feed(t.Context(), m) })
			}
			if o.err != nil && len(o.clips) > 0 && m.Header[header.Chunk] == number && len(body) == 0 {
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

// FuzzStored shows anything in the place of the state of a source in the bucket.
func FuzzStored(f *testing.F) {
	cut := slice.Defaults(slice.Length)
	slicer, err := slice.New(cut, 8000, 1)
	if err != nil {
		f.Fatal(err)
	}
	state, err := slicer.State()
	if err != nil {
		f.Fatal(err)
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(stored{Key: `"a" "b"`, Sequence: 7, Session: session{Source: "a", Rate: 8000, Channels: 1}, Slicer: state}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes(), 0, byte(0))
	f.Add(b.Bytes(), 200, byte(0x80))
	f.Fuzz(func(t *testing.T, state []byte, at int, change byte) {
		if len(state) > 0 && at >= 0 {
			state = bytes.Clone(state)
			state[at%len(state)] ^= change
		}
		allocation.Check(t, len(state), 100, func() {
			s, err := decodeStored(state)
			if err != nil {
				return
			}
			_, _ = slice.Restore(s.Slicer, cut, s.Session.Rate, s.Session.Channels) // an error is as good as none
		})
	})
}

// The state of a source as it was stored before ended sources were remembered is read, and the source goes on.
func TestStoredBefore(t *testing.T) {
	type before struct {
		Source, Label, Group string
		FirstID              string
		Next                 int64
		Missing              []span
		Rate, Channels       int
		Used                 uint64
	}
	config := defaults()
	config.By = slice.Length
	fold := &fold{config: config, cut: slice.Defaults(slice.Length), log: slog.New(slog.DiscardHandler), sessions: map[string]*session{}}
	slicer, err := slice.New(fold.cut, 8000, 1)
	if err != nil {
		t.Fatal(err)
	}
	state, err := slicer.State()
	if err != nil {
		t.Fatal(err)
	}
	key := sourceKey("a", "x")
	var b bytes.Buffer
	err = gob.NewEncoder(&b).Encode(struct {
		Key      string
		Sequence uint64
		Ended    bool
		Session  before
		Slicer   []byte
	}{key, 7, false, before{Source: "a", Label: "x", FirstID: "a0", Next: 5, Missing: []span{{2, 3}}, Rate: 8000, Channels: 1, Used: 7}, state})
	if err != nil {
		t.Fatal(err)
	}
	s, err := decodeStored(b.Bytes())
	if err != nil || s.End != nil || s.Session.Next != 5 || s.Session.FirstID != "a0" {
		t.Fatalf("%+v, %v", s, err)
	}
	if s.Session.slicer, err = slice.Restore(s.Slicer, fold.cut, 8000, 1); err != nil {
		t.Fatal(err)
	}
	fold.sessions[key] = &s.Session
	send := func(sequence uint64, number, last string) outcome {
		return fold.feed(t.Context(), &pipeline.Message{
			ID: number, Sequence: sequence, Label: "x", Body: make([]byte, 16000),
			Header: map[string]string{header.Chunk: number, header.Source: "a", header.ContentType: "audio/L16;rate=8000", header.Last: last},
		})
	}
	if o := send(8, "5", "true"); o.err != nil || len(fold.sessions) != 0 {
		t.Errorf("the last chunk: %v", o.err)
	}
	for i, number := range []string{"2", "3", "9"} {
		if o := send(9+uint64(i), number, ""); o.err == nil || len(fold.sessions) != 0 {
			t.Errorf("chunk %s behind the end is accepted", number)
		}
	}
}

// However many sources end, a bounded number is remembered: those that ended last.
func TestRememberedSources(t *testing.T) {
	fold := &fold{config: defaults(), cut: slice.Defaults(slice.Length), log: slog.New(slog.DiscardHandler), sessions: map[string]*session{}}
	for i := range uint64(maxEnded + 10) {
		fold.remember(sourceKey(strings.Repeat("a", int(i)), ""), &session{}, i)
	}
	if len(fold.ended) != maxEnded || fold.ended[sourceKey(strings.Repeat("a", 9), "")] != nil || fold.ended[sourceKey(strings.Repeat("a", 10), "")] == nil {
		t.Errorf("%d sources are remembered", len(fold.ended))
	}
}
