package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wavemill/audio"
	"wavemill/audio/synth"
	"wavemill/audio/wav"
	"wavemill/pipeline"
)

// yamlBlocks are the pipeline files of a document.
func yamlBlocks(t *testing.T, file string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
		doc, _, _ := strings.Cut(block, "```")
		blocks = append(blocks, doc)
	}
	return blocks
}

// The pipeline files of the operators' pages are valid.
func TestPipelineFilesOfOperators(t *testing.T) {
	pages, err := filepath.Glob("../../docs/operators/*.md")
	if err != nil || len(pages) < 3 {
		t.Fatalf("%d pages: %v", len(pages), err)
	}
	for _, page := range pages {
		for _, doc := range yamlBlocks(t, page) {
			if !strings.Contains(doc, "operators:") {
				continue // A part of one.
			}
			spec, err := pipeline.ParseSpec([]byte(doc))
			if err != nil {
				t.Errorf("%s: %v in\n%s", page, err, doc)
				continue
			}
			if spec.NATS == "" {
				spec.DataDir = "data"
			}
			if err := pipeline.Check(spec, operators(hooks{})); err != nil {
				t.Errorf("%s: %v in\n%s", page, err, doc)
			}
		}
	}
}

// The pipeline of the page of segment takes what the example of the page publishes, and cuts clips of it.
func TestExampleOfSegment(t *testing.T) {
	spec, err := pipeline.ParseSpec([]byte(yamlBlocks(t, "../../docs/operators/segment.md")[0]))
	if err != nil {
		t.Fatal(err)
	}
	if spec, err = spec.Only("segment"); err != nil {
		t.Fatal(err)
	}
	spec.DataDir, spec.Listen = t.TempDir(), "127.0.0.1:0"
	bus, err := pipeline.Open(t.Context(), spec, pipeline.BusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := pipeline.Start(context.Background(), bus, quickOperators(hooks{}), pipeline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Stop(context.WithoutCancel(t.Context()))
		_ = bus.Close(context.WithoutCancel(t.Context()))
	})
	dir := t.TempDir()
	x := make([]float32, 8000)
	for i := range 3 {
		c, err := synth.Clip("vowel", uint64(i), 8000)
		if err != nil {
			t.Fatal(err)
		}
		x = append(append(x, c.Samples...), make([]float32, 8000)...)
	}
	if err := os.MkdirAll(filepath.Join(dir, "sessions", "anna"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := wav.WriteFile(filepath.Join(dir, "sessions", "anna", "one.wav"), audio.Clip{Samples: x, Channels: 1, Rate: 8000}, wav.Options{}); err != nil {
		t.Fatal(err)
	}
	lines := examples(t, "docs/operators/segment.md", "## Input")
	t.Chdir(dir)
	mustRun(t, append(strings.Fields(lines[0])[1:], "--nats", bus.URL())...)
	n := 0
	for deadline := time.Now().Add(time.Minute); n < 3; time.Sleep(10 * time.Millisecond) { // A poll.
		if time.Now().After(deadline) {
			t.Fatalf("%d clips: %+v", n, p.Snapshot())
		}
		n = 0
		for m, err := range bus.Messages(t.Context(), pipeline.Subscription{Stream: pipeline.TypeAudio, Label: "anna", From: 1, Last: true}) {
			if err != nil || m.Header["Wavemill-Group"] != "sessions/anna/one.wav" && m.Header["Wavemill-Group"] != "anna/one.wav" && m.Header["Wavemill-Group"] != "one.wav" {
				t.Fatalf("%v: %v", m, err)
			}
			n++
		}
	}
}
