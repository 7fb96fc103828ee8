package files_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/audio/wav"
	"wavemill/operators/files"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// stream is a publisher and subscriber in memory. As a JetStream stream does, it stores a content once.
type stream struct {
	mu       sync.Mutex
	messages []*pipeline.Message
	known    map[string]bool
	err      error // Returned by Publish.
	end      func()
}

func (s *stream) Publish(_ context.Context, m *pipeline.Message) (pipeline.Ack, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return pipeline.Ack{}, s.err
	}
	duplicate := s.known[m.Label+string(m.Body)]
	if s.known == nil {
		s.known = map[string]bool{}
	}
	s.known[m.Label+string(m.Body)] = true
	s.messages = append(s.messages, m)
	return pipeline.Ack{Duplicate: duplicate}, nil
}

// Messages yields the messages, and an error for a nil one. At the end it calls end, and yields what a bus yields
// whose context is done.
func (s *stream) Messages(ctx context.Context, what pipeline.Subscription) iter.Seq2[*pipeline.Message, error] {
	return func(yield func(*pipeline.Message, error) bool) {
		for _, m := range s.messages {
			switch {
			case m == nil:
				if !yield(nil, errors.New("bad message")) {
					return
				}
			case what.Label == "" || what.Label == m.Label:
				if !yield(m, nil) {
					return
				}
			}
		}
		if s.end != nil {
			s.end()
		}
		yield(nil, ctx.Err())
	}
}

// write creates n files and returns them as items of two labels.
func write(t *testing.T, n int) []dataset.Item {
	t.Helper()
	dir := t.TempDir()
	var items []dataset.Item
	for i := range n {
		label := []string{"kick", "hi hat"}[i%2]
		name := fmt.Sprintf("%d.wav", i)
		if err := os.WriteFile(filepath.Join(dir, name), fmt.Appendf(nil, "body %d", i), 0o600); err != nil {
			t.Fatal(err)
		}
		items = append(items, dataset.Item{Path: filepath.Join(dir, name), Name: name, Label: label, Group: []string{"", "theo"}[i%2]})
	}
	return items
}

func TestPublish(t *testing.T) {
	bus, items := &stream{}, write(t, 50)
	for _, duplicates := range []int{0, 50} {
		called := 0
		got, err := files.Publish(t.Context(), bus, items, func() { called++ })
		if err != nil {
			t.Fatal(err)
		}
		if got.Published != 50 || got.Duplicates != duplicates || got.Labels["kick"] != 25 || got.Labels["hi hat"] != 25 || got.Bytes != 50*6+40 || called != 50 {
			t.Errorf("%+v, %d calls", got, called)
		}
	}
}

func TestMessage(t *testing.T) {
	for _, item := range write(t, 2) {
		m, err := files.Message(item)
		if err != nil {
			t.Fatal(err)
		}
		_, grouped := m.Header[header.Group]
		if m.Type != pipeline.TypeAudio || m.Label != item.Label || m.Header[header.Source] != item.Name || m.Header[header.ContentType] != "audio/wav" ||
			m.Header[header.Group] != item.Group || grouped != (item.Group != "") || !strings.HasPrefix(string(m.Body), "body ") {
			t.Errorf("%+v", m)
		}
	}
}

// TestMessageRefusesLargeFiles creates a sparse file, which takes no space. It is larger than its item states.
func TestMessageRefusesLargeFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.wav")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(files.MaxSize + 1); err != nil {
		t.Skipf("no sparse files: %v", err)
	}
	if _, err := files.Message(dataset.Item{Path: path, Size: 44}); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "split it") {
		t.Errorf("%v", err)
	}
}

func TestPublishStops(t *testing.T) {
	items := write(t, 4)
	done, cancel := context.WithCancel(t.Context())
	cancel()
	gone := errors.New("server gone")
	for name, c := range map[string]struct {
		ctx  context.Context
		bus  *stream
		path string
		want error
	}{
		"no file":   {t.Context(), &stream{}, filepath.Join(t.TempDir(), "none.wav"), os.ErrNotExist},
		"no server": {t.Context(), &stream{err: gone}, items[0].Path, gone},
		"cancelled": {done, &stream{}, items[0].Path, context.Canceled},
	} {
		list := append([]dataset.Item{{Path: c.path, Name: "x.wav", Label: "kick"}}, items...)
		if _, err := files.Publish(c.ctx, c.bus, list, nil); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// clip is a message of the clip stream.
func clip(sequence uint64, label string, headers map[string]string) *pipeline.Message {
	return &pipeline.Message{Type: pipeline.TypeClip, Label: label, Sequence: sequence, Header: headers, Body: sound()}
}

// sound is a WAV file.
func sound() []byte {
	body, err := wav.Encode(audio.Clip{Rate: 8000, Channels: 1, Samples: []float32{0, 0.5, -0.5, 0}}, wav.Options{})
	if err != nil {
		panic(err)
	}
	return body
}

func TestSaveAll(t *testing.T) {
	bus := &stream{messages: []*pipeline.Message{
		clip(1, "kick", map[string]string{header.Seed: "12", header.Confidence: "0.5", header.Model: "abc"}),
		nil,
		{Type: pipeline.TypeClip, Label: "kick", Sequence: 5, Body: []byte("anything")},
		{Type: pipeline.TypeClip, Label: "kick", Sequence: 6},
		clip(7, "../up", map[string]string{header.Seed: "x"}),
		clip(8, "kick", nil),
	}}
	dir := filepath.Join(t.TempDir(), "new", "clips")
	var got []files.Clip
	bad := 0
	n, err := files.SaveAll(t.Context(), bus, files.SaveOptions{Dir: dir, Count: 2, OnError: func(error) { bad++ }}, func(c files.Clip) error {
		got = append(got, c)
		return nil
	})
	if err != nil || n != 2 || bad != 3 || len(got) != 2 {
		t.Fatalf("%d clips, %d errors, %v: %+v", n, bad, err, got)
	}
	if c := got[0]; c.File != filepath.Join(dir, "kick_000001.wav") || c.Label != "kick" || c.Seed != 12 || *c.Confidence != 0.5 || c.Model != "abc" {
		t.Errorf("%+v", c)
	}
	if c := got[1]; filepath.Dir(c.File) != dir || c.Seed != 0 || c.Confidence != nil || c.Model != "" {
		t.Errorf("%+v", c)
	}
	for _, c := range got {
		if body, err := os.ReadFile(c.File); err != nil || !bytes.Equal(body, sound()) {
			t.Errorf("%d bytes, %v", len(body), err)
		}
	}
}

func TestSaveAllEnds(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	full := errors.New("disk full")
	for name, c := range map[string]struct {
		o    files.SaveOptions
		each error
		n    int
		want string
	}{
		"interrupted without a count": {files.SaveOptions{Dir: t.TempDir()}, nil, 2, ""},
		"interrupted with a count":    {files.SaveOptions{Dir: t.TempDir(), Count: 3}, nil, 2, "2 of 3 clips"},
		"one label":                   {files.SaveOptions{Dir: t.TempDir(), Label: "kick"}, nil, 1, ""},
		"callback fails":              {files.SaveOptions{Dir: t.TempDir()}, full, 1, "disk full"},
		"no folder":                   {files.SaveOptions{Dir: file}, nil, 0, "not a directory"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		bus := &stream{messages: []*pipeline.Message{clip(1, "kick", nil), clip(2, "bell", nil)}, end: cancel}
		n, err := files.SaveAll(ctx, bus, c.o, func(files.Clip) error { return c.each })
		cancel()
		if n != c.n || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %d clips, error %v; want %d and %q", name, n, err, c.n, c.want)
		}
	}
}
