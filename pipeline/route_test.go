package pipeline_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline"
	"wavemill/pipeline/deadletter"
	"wavemill/pipeline/header"
)

// relay is an operator that reads and emits messages of the given types; empty: it says nothing of them.
type relay struct {
	pipeline.OperatorFunc

	in, out string
}

type relayFrom struct{ relay }

func (r relayFrom) Input() string { return r.in }

type relayTo struct{ relay }

func (r relayTo) Output() string { return r.out }

type relayBoth struct{ relay }

func (r relayBoth) Input() string  { return r.in }
func (r relayBoth) Output() string { return r.out }

// relays is a registry of operators that emit what they receive as the type that they declare. They pass their Env on.
func relays(envs chan<- pipeline.Env) pipeline.Registry {
	build := func(in, out, emitted string) pipeline.Factory {
		return func(_ []byte, env pipeline.Env) (pipeline.Operator, error) {
			if envs != nil && env.Bus != nil {
				envs <- env
			}
			r := relay{in: in, out: out, OperatorFunc: func(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
				switch {
				case strings.HasPrefix(string(m.Body), "bad"):
					return pipeline.Errorf(pipeline.Invalid, "bad body")
				case strings.HasPrefix(string(m.Body), "refused") && emitted == "":
					return emit(ctx, &pipeline.Message{Type: pipeline.TypeQuarantine, Body: m.Body})
				case emitted == "":
					return emit(ctx, &pipeline.Message{Type: m.Type, Body: m.Body, Header: m.Header})
				}
				return emit(ctx, &pipeline.Message{Type: emitted, Body: m.Body})
			}}
			switch {
			case in != "" && out != "":
				return relayBoth{r}, nil
			case in != "":
				return relayFrom{r}, nil
			case out != "":
				return relayTo{r}, nil
			}
			return r, nil
		}
	}
	return pipeline.Registry{
		"convert": build(pipeline.TypeAudio, pipeline.TypeSpectrogram, pipeline.TypeSpectrogram),
		"guard":   build(pipeline.TypeSpectrogram, pipeline.TypeSpectrogram, ""),
		"collect": build(pipeline.TypeSpectrogram, pipeline.TypeClip, pipeline.TypeClip),
		"echo":    build(pipeline.TypeAudio, "", pipeline.TypeAudio), // It does not say that it writes what it reads.
		"embed":   build(pipeline.TypeAudio, "embedding", "embedding"),
		"plain":   build("", "", "clip"),
	}
}

const guarded = `
name: t
operators:
  - {operator: convert}
  - {operator: guard, from: spectrogram, to: guarded}
  - {operator: collect, from: guarded}
`

func parse(t *testing.T, doc string) pipeline.Spec {
	t.Helper()
	s, err := pipeline.ParseSpec([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestAnOperatorStandsBetweenTwo runs convert -> guard -> collect: the guard is a registry line and a line of YAML.
func TestAnOperatorStandsBetweenTwo(t *testing.T) {
	s := parse(t, guarded)
	s.DataDir = t.TempDir()
	envs := make(chan pipeline.Env, 3)
	if err := pipeline.Check(s, relays(nil)); err != nil {
		t.Fatal(err)
	}
	bus := open(t, s)
	p, _ := start(t, bus, relays(envs))

	for _, body := range []string{"one", "two", "three", "refused"} {
		m := &pipeline.Message{Type: pipeline.TypeAudio, Label: "l", Body: []byte(body), Header: map[string]string{
			header.Source: body + ".wav", header.Group: "theo", header.Recording: "ab12", header.Fingerprint: "print",
		}}
		if _, err := bus.Publish(within(t), m); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "three messages have come through and one was refused", func() bool {
		s := p.Snapshot()
		return s[2].Emitted == 3 && s[1].Processed == 4
	})
	typesAndHeaders(t, bus)
	raw, err := rawStream(t, bus, "guarded").GetMsg(within(t), 1)
	if err != nil || raw.Subject != "t.guarded.l" || raw.Header.Get(header.Type) != pipeline.TypeSpectrogram {
		t.Errorf("%+v %v", raw, err)
	}
	if id := raw.Header.Get("Nats-Msg-Id"); !strings.HasPrefix(id, "t/guard@") || !strings.HasSuffix(id, "/T_SPECTROGRAM/1/0") {
		t.Errorf("id %q", id)
	}
	if raw, err = rawStream(t, bus, pipeline.TypeSpectrogram).GetMsg(within(t), 1); err != nil || raw.Header.Get(header.Type) != "" {
		t.Errorf("a message on the stream of its type has a type header: %v %v", raw, err)
	}

	for _, want := range []pipeline.Env{
		{Operator: "convert", From: "audio", To: "spectrogram", Upstream: []string{"audio"}},
		{Operator: "guard", From: "spectrogram", To: "guarded", Upstream: []string{"spectrogram", "audio"}},
		{Operator: "collect", From: "guarded", To: "clip", Upstream: []string{"guarded", "spectrogram", "audio"}},
	} {
		got := <-envs
		if got.Operator != want.Operator || got.From != want.From || got.To != want.To || !slices.Equal(got.Upstream, want.Upstream) {
			t.Errorf("%s: from %s, to %s, upstream %v; want %+v", got.Operator, got.From, got.To, got.Upstream, want)
		}
	}
	if s := p.Snapshot()[1]; s.From != "spectrogram" || s.To != "guarded" {
		t.Errorf("%+v", s)
	}
}

// typesAndHeaders checks what the stages of TestAnOperatorStandsBetweenTwo have written: each message with the type and
// the inherited headers that it should have.
func typesAndHeaders(t *testing.T, bus *pipeline.Bus) {
	t.Helper()
	for stream, want := range map[string]string{
		pipeline.TypeSpectrogram: "spectrogram spectrogram spectrogram spectrogram", "guarded": "spectrogram spectrogram spectrogram",
		pipeline.TypeClip: "clip clip clip", pipeline.TypeQuarantine: "quarantine",
	} {
		var types []string
		for _, m := range kept(t, bus, stream) {
			types = append(types, m.Type)
			if m.Stream != "T_"+strings.ToUpper(stream) || m.Header[header.Type] != "" {
				t.Errorf("%s: stream %s, headers %v", stream, m.Stream, m.Header)
			}
			for name, want := range map[string]string{header.Source: string(m.Body) + ".wav", header.Group: "theo", header.Recording: "ab12", header.Fingerprint: "print"} {
				if m.Header[name] != want {
					t.Errorf("%s: header %s is %q, want %q", stream, name, m.Header[name], want)
				}
			}
		}
		if got := strings.Join(types, " "); got != want {
			t.Errorf("stream %s has types %q, want %q", stream, got, want)
		}
	}
}

// TestDeadLettersOfNamedStreams replays a letter about a message on a stream that is not the one of its type.
func TestDeadLettersOfNamedStreams(t *testing.T) {
	s := parse(t, guarded)
	s.DataDir = t.TempDir()
	bus := open(t, s)
	p, _ := start(t, bus, relays(nil))
	for range 2 { // The second is a duplicate.
		if _, err := bus.PublishTo(within(t), "guarded", &pipeline.Message{Type: pipeline.TypeSpectrogram, Label: "l", Body: []byte("bad")}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the letter is there", func() bool { return p.Snapshot()[2].Dead == 1 })
	if all := kept(t, bus, pipeline.TypeDLQ); len(all) != 1 || all[0].Type != pipeline.TypeDLQ || all[0].Header[header.DeadStream] != "T_GUARDED" {
		t.Errorf("%+v", all)
	}
	for l, err := range bus.DeadLetters().List(within(t), deadletter.Filter{}) {
		if err != nil || l.Subject != "t.guarded.l" || l.Operator != "collect" {
			t.Fatalf("%+v %v", l, err)
		}
		if _, err := bus.DeadLetters().Replay(within(t), l); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the message fails again", func() bool { return p.Snapshot()[2].Dead == 2 })
	again := kept(t, bus, "guarded")
	if len(again) != 2 || again[1].Type != pipeline.TypeSpectrogram || again[1].Label != "l" || !strings.HasPrefix(again[1].ID, "replay/1/content/") {
		t.Errorf("%+v", again)
	}
}

func TestQuarantineIsCreatedWhenNamed(t *testing.T) {
	s := parse(t, guarded)
	s.DataDir = t.TempDir()
	bus := open(t, s)
	if _, err := bus.JetStream().Stream(within(t), "T_QUARANTINE"); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("nobody writes the stream, and there is one: %v", err)
	}
	s = parse(t, "name: t\noperators: [{operator: convert, to: quarantine}]")
	s.DataDir = t.TempDir()
	bus = open(t, s)
	if _, err := bus.JetStream().Stream(within(t), "T_QUARANTINE"); err != nil {
		t.Error(err)
	}
}

func TestAStageNeverEmitsIntoItsInput(t *testing.T) {
	s := parse(t, "name: t\noperators: [{operator: echo}]")
	s.DataDir = t.TempDir()
	bus := open(t, s)
	p, _ := start(t, bus, relays(nil))
	publish(t, bus, "l", "m")
	eventually(t, "the message is a dead letter", func() bool { return p.Snapshot()[0].Dead == 1 })
	if reason := p.Snapshot()[0].DeadLetters[0].Reason; !strings.Contains(reason, "reads and writes the stream audio") {
		t.Error(reason)
	}
	if n := len(kept(t, bus, pipeline.TypeAudio)); n != 1 {
		t.Errorf("%d messages, want the one that was published", n)
	}
}

func TestATypeOfOnesOwn(t *testing.T) {
	s := parse(t, "name: t\noperators: [{operator: embed}, {operator: plain, from: embedding}]")
	s.DataDir = t.TempDir()
	bus := open(t, s)
	_, _ = start(t, bus, relays(nil))
	publish(t, bus, "l", "m")
	eventually(t, "the clip is there", func() bool { return len(kept(t, bus, pipeline.TypeClip)) == 1 })
	if all := kept(t, bus, "embedding"); len(all) != 1 || all[0].Type != "embedding" {
		t.Errorf("%+v", all)
	}
}

func TestPublishToStreamsOfThePipelineOnly(t *testing.T) {
	bus := open(t, specOf(t, "", func(s *pipeline.Spec) { s.Operators, s.Inputs = nil, []string{"takes"} }))
	if ack, err := bus.PublishTo(within(t), "takes", &pipeline.Message{Type: pipeline.TypeAudio, Body: []byte("x")}); err != nil || ack.Stream != "T_TAKES" {
		t.Errorf("%+v %v", ack, err)
	}
	for stream, m := range map[string]*pipeline.Message{
		"other": {Type: pipeline.TypeAudio}, "dlq": {Type: pipeline.TypeAudio}, "takes": {Type: "Not a type"},
	} {
		if _, err := bus.PublishTo(within(t), stream, m); pipeline.KindOf(err) != pipeline.Invalid {
			t.Errorf("%s: error %v is not Invalid", stream, err)
		}
	}
}

// TestAnotherPipelinesStreamIsRefused: the stream b_clip of pipeline a has the name of the stream clip of pipeline a_b.
func TestAnotherPipelinesStreamIsRefused(t *testing.T) {
	e := newExternal(t)
	_ = open(t, pipeline.Spec{Name: "a_b", NATS: e.url()})
	_, err := pipeline.Open(within(t), pipeline.Spec{Name: "a", NATS: e.url(), Inputs: []string{"b_clip"}}, pipeline.BusOptions{})
	if err == nil || !strings.Contains(err.Error(), "a_b.clip.>") || !strings.Contains(err.Error(), "choose another name") {
		t.Errorf("error %v", err)
	}
}

func TestStreamFaults(t *testing.T) {
	for _, c := range []struct{ operators, want string }{ // An empty want: no fault.
		{"[{operator: convert}, {operator: guard, to: guarded}, {operator: collect, from: guarded}]", ""},
		{"[{operator: convert}, {operator: guard, input: spectrogram, to: guarded}, {operator: collect, input: guarded}]", ""},
		{"[{operator: convert}, {operator: collect, from: spectrogram, input: spectrogram}]", ""},
		{"[{operator: convert}, {operator: collect, from: spectrogram, input: clip}]", `from is "spectrogram" and input is "clip"`},
		{"[{operator: convert}, {operator: guard, from: spectrogram}]", "guard: it reads and writes the stream spectrogram"},
		{"[{operator: guard, from: x, to: x}]", "guard: it reads and writes the stream x"},
		{"[{operator: guard, to: x}, {name: again, operator: guard, from: x, to: spectrogram}]", "form a cycle, in which messages would go round for ever: guard reads spectrogram and writes x, again reads x and writes spectrogram"},
		{"[{operator: guard, to: x}, {operator: plain, from: x, to: y}, {name: again, operator: guard, from: y, to: spectrogram}]", "form a cycle"},
		{"[{operator: convert}, {operator: collect, from: gaurded}]", "collect: no operator writes the stream gaurded that it reads; set `to: gaurded` on the operator before it, or list gaurded under inputs"},
		{"[{operator: collect}]", ""}, // Clients may publish spectrograms.
		{"[{operator: convert, from: takes}]", ""},
		{"[{operator: convert, to: Big}]", `stream "Big": use 1 to 32`},
		{"[{operator: convert, from: status}]", "not those of a stream"},
		{"[{operator: convert, to: model}]", "not those of a stream"},
		{"[{operator: convert, to: dlq}]", "only the runtime writes dead letters"},
		{"[{operator: plain}]", "does not say which stream it reads"},
	} {
		s, err := pipeline.ParseSpec([]byte("name: t\ndata_dir: d\ninputs: [takes]\noperators: " + c.operators))
		if err == nil {
			err = pipeline.Check(s, relays(nil))
		}
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.operators, err)
		case c.want != "" && (err == nil || strings.Count(err.Error(), c.want) != 1):
			t.Errorf("%s: error %v does not say %q once", c.operators, err, c.want)
		}
	}
}

// TestOnlyKnowsItsNeighbours: one stage of a file is checked and run with the streams of all of them, also where the
// other operators are another program's.
func TestOnlyKnowsItsNeighbours(t *testing.T) {
	one, err := parse(t, guarded).Only("collect")
	if err != nil {
		t.Fatal(err)
	}
	reg := relays(nil)
	delete(reg, "guard")
	if err := pipeline.Check(one, reg); err != nil {
		t.Error(err)
	}
	one, err = one.Only("collect")
	if err != nil {
		t.Fatal(err)
	}
	one.DataDir = t.TempDir()
	bus := open(t, one)
	envs := make(chan pipeline.Env, 1)
	_, _ = start(t, bus, relays(envs))
	got := <-envs
	if !slices.Equal(got.Upstream, []string{"guarded", "spectrogram", "audio"}) {
		t.Errorf("upstream %v", got.Upstream)
	}
	if !slices.Contains(got.Feeders, pipeline.Feeder{Stage: "guard", From: "spectrogram"}) || slices.ContainsFunc(got.Feeders, func(f pipeline.Feeder) bool { return f.Stage == "collect" }) {
		t.Errorf("feeders %v", got.Feeders)
	}
}

// Checking a stage does not build an operator for each of its workers, however many it asks for.
func TestCheckBuildsFewOperators(t *testing.T) {
	for workers, want := range map[int]string{100_000: "workers is 100000; use 1 to 1024", 1024: ""} {
		built := 0
		reg := pipeline.Registry{"work": func([]byte, pipeline.Env) (pipeline.Operator, error) {
			built++
			return consumer{pipeline.TypeAudio, shout}, nil
		}}
		err := pipeline.Check(specOf(t, "", func(s *pipeline.Spec) { s.Operators[0].Workers = workers }), reg)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%d workers: %v", workers, err)
		}
		if built > 2 { // One to find its streams, and one that knows them.
			t.Errorf("%d workers: %d operators were built", workers, built)
		}
	}
}
