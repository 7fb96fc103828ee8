package generate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"wavemill/models"
	"wavemill/operators/generate"
	"wavemill/pipeline"
)

// replica starts another generate operator of the same pipeline. Its models are opened when the channel says so.
func (m *mill) replica(opening chan struct{}) (p *pipeline.Pipeline, inUse chan string) {
	m.t.Helper()
	inUse = make(chan string, 10)
	hooks := generate.Hooks{
		OnModel: func(digest string) { inUse <- digest },
		Open: func(c models.Checkpoint) (models.Generator, error) {
			<-opening
			return ridges{c.FrontEnd, &m.calls, nil}, nil
		},
	}
	p, err := pipeline.Start(context.Background(), m.bus, pipeline.Registry{"generate": generate.Factory(hooks)},
		pipeline.Options{Log: slog.New(slog.NewTextHandler(m.t.Output(), nil))})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { m.stop(p) })
	return p, inUse
}

func (m *mill) stop(p *pipeline.Pipeline) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		m.t.Errorf("stop: %v", err)
	}
}

// While a new replica has no model, and while one stops, the others answer every request.
func TestReplicasComeAndGoWithoutAFailure(t *testing.T) {
	m := newMill(t, "{}", generate.Hooks{}, nil)
	m.train(1)
	<-m.inUse
	m.ask(`{"label":"high"}`) // It has joined.
	opening := make(chan struct{})
	second, inUse := m.replica(opening)
	seed := 0
	requests := func(n int) {
		t.Helper()
		for range n {
			seed++
			reply, err := m.bus.Conn().Request("t.generate", fmt.Appendf(nil, `{"label":"high","seed":%d}`, seed), patience)
			if err != nil || reply.Header.Get(micro.ErrorCodeHeader) != "" {
				t.Fatalf("request %d: %v, %v", seed, reply, err)
			}
		}
	}
	requests(20)
	if s := second.Snapshot()[0]; s.Ready || s.Details.(generate.Details).Requests != 0 {
		t.Errorf("without a model: %+v", s)
	}
	close(opening)
	<-inUse
	for deadline := time.Now().Add(patience); second.Snapshot()[0].Details.(generate.Details).Requests == 0; {
		if requests(1); time.Now().After(deadline) {
			t.Fatal("the second replica takes no requests")
		}
	}
	if !second.Snapshot()[0].Ready {
		t.Error("with a model it is not ready")
	}
	stopped := make(chan struct{})
	go func() { m.stop(second); close(stopped) }()
	for done := false; !done; {
		requests(5)
		select {
		case <-stopped:
			done = true
		default:
		}
	}
	requests(5)
}

// Requests that have arrived when a replica stops are answered, however many wait for a slot.
func TestRequestsThatHaveArrivedAreAnswered(t *testing.T) {
	block := make(chan struct{})
	m := newMill(t, "{concurrency: 1}", generate.Hooks{}, block)
	m.train(1)
	<-m.inUse
	const n = 20
	answers, err := m.bus.Conn().SubscribeSync("answers")
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); m.calls.Load() == 0 && time.Now().Before(deadline); { // Until it has joined.
		for i := range n {
			if err := m.bus.Conn().PublishRequest("t.generate", "answers", fmt.Appendf(nil, `{"label":"high","seed":%d}`, i+1)); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.bus.Conn().Flush(); err != nil {
			t.Fatal(err)
		}
	}
	stopped := make(chan struct{})
	go func() { m.stop(m.p); close(stopped) }()
	for deadline := time.Now().Add(patience); m.p.Snapshot()[0].Reason != "stopping"; {
		if time.Now().After(deadline) {
			t.Fatal("it does not say that it stops")
		}
	}
	close(block)
	<-stopped
	for got := 0; got < n; {
		msg, err := answers.NextMsg(time.Second)
		if err != nil {
			t.Fatalf("%d of %d answers: %v", got, n, err)
		}
		switch code := msg.Header.Get(micro.ErrorCodeHeader); {
		case msg.Header.Get("Status") == "503": // No responders, before it had joined.
		case code != "":
			t.Errorf("answered with %s: %s", code, msg.Data)
			got++
		default:
			got++
		}
	}
}

// panicky generates nothing.
type panicky struct{}

func (panicky) Generate(context.Context, models.Request) (models.Batch, error) { panic("no sense") }

// The status and the statistics count every request with its outcome and the time until its answer. A panic is one
// failed request.
func TestCountsRequests(t *testing.T) {
	m := newMill(t, "{max_n: 5}", generate.Hooks{}, nil, func(c models.Checkpoint) (models.Generator, error) {
		if c.Step == 2 {
			return panicky{}, nil
		}
		return ridges{c.FrontEnd, new(atomic.Int64), nil}, nil
	})
	m.train(1)
	<-m.inUse
	for _, request := range []string{`{"label":"high"}`, `{"label":"high","n":3}`, `{`, `{"label":"none"}`, `{"label":"high","n":6}`} {
		m.ask(request)
	}
	m.train(2)
	<-m.inUse
	for _, request := range []string{`{"label":"high","seed":1}`, `{"label":"high","n":2,"seed":1}`} {
		if reply := m.ask(request); reply.Header.Get(micro.ErrorCodeHeader) != "500" || strings.Contains(string(reply.Data), "goroutine") {
			t.Errorf("%s: %v %s", request, reply.Header, reply.Data)
		}
	}
	check := func(from string, data []byte) {
		t.Helper()
		var d generate.Details
		if err := json.Unmarshal(data, &d); err != nil {
			t.Fatal(err)
		}
		if d.Requests != 7 || d.Clips != 4 || d.Failed["400"] != 2 || d.Failed["404"] != 1 || d.Failed["500"] != 2 || len(d.Failed) != 3 || d.Seconds <= 0 || d.Labels != 2 || len(d.Model) != 64 {
			t.Errorf("%s: %s", from, data)
		}
	}
	status, err := m.bus.Conn().Request("t.status.generate", nil, patience)
	if err != nil {
		t.Fatal(err)
	}
	var s struct{ Details json.RawMessage }
	if err := json.Unmarshal(status.Data, &s); err != nil {
		t.Fatal(err)
	}
	check("status", s.Details)
	reply, err := m.bus.Conn().Request("$SRV.STATS.t-generate", nil, patience)
	if err != nil {
		t.Fatal(err)
	}
	var stats micro.Stats
	if err := json.Unmarshal(reply.Data, &stats); err != nil {
		t.Fatal(err)
	}
	for _, e := range stats.Endpoints {
		if e.Name == "generate" {
			check("statistics", e.Data)
			return
		}
	}
	t.Errorf("no endpoint: %s", reply.Data)
}

// The trace context of a request is on its clips and in its answer, however its name is written.
func TestPassesTheTraceOn(t *testing.T) {
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	m := newMill(t, "{}", generate.Hooks{}, nil)
	m.train(1)
	<-m.inUse
	m.ask(`{"label":"high"}`)
	last, err := m.bus.LastSequence(t.Context(), pipeline.TypeClip)
	if err != nil {
		t.Fatal(err)
	}
	for name, request := range map[string]string{"traceparent": `{"label":"high","seed":1}`, "Traceparent": `{"label":"high","n":3,"seed":10}`} {
		msg := nats.NewMsg("t.generate")
		msg.Data, msg.Header[name] = []byte(request), []string{trace}
		reply, err := m.bus.Conn().RequestMsg(msg, patience)
		if err != nil || reply.Header.Get("traceparent") != trace {
			t.Errorf("%s: %v %v", request, reply.Header, err)
		}
	}
	n := 0
	for msg, err := range m.bus.Messages(t.Context(), pipeline.Subscription{Stream: pipeline.TypeClip, From: last + 1, Last: true}) {
		if err != nil || msg.Header["traceparent"] != trace {
			t.Errorf("%v %v", msg.Header, err)
		}
		n++
	}
	if n != 4 {
		t.Errorf("%d clips, want 4", n)
	}
}

// An answer does not send a large request back.
func TestDoesNotEchoLargeRequests(t *testing.T) {
	m := newMill(t, "{}", generate.Hooks{}, nil)
	m.train(1)
	<-m.inUse
	large := strings.Repeat("x", 5<<20)
	for _, request := range []string{`{"label":"` + large + `"}`, `{"label":"high","mix":{"label":"` + large + `","weight":0.5}}`, `{"` + large + `":1}`, `{"label":"high","format":"` + large + `"}`} {
		reply := m.ask(request)
		if reply.Header.Get(micro.ErrorCodeHeader) != "400" || len(reply.Data) > 5000 || reply.Size() > 20000 {
			t.Errorf("%.30s: code %s, %d bytes", request, reply.Header.Get(micro.ErrorCodeHeader), reply.Size())
		}
	}
}
