package generate_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wavemill/audio/wav"
	"wavemill/internal/heap"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/frontend"
	"wavemill/models/modeltest"
	"wavemill/models/sampling"
	"wavemill/operators/generate"
	"wavemill/pipeline"
)

// BenchmarkServing compares requests over the bus, of a VAE of default size with an embedded server that syncs every write, with
// the same clips made without a bus, as `wavemill bench generate` times them. Both take turns, so that the load of the machine
// meets both. An iteration is a clip. Run it with -benchtime 500x.
//
// It reports the medians and 99 % quantiles of one client, those of storing a clip alone, which is part of a request, and the clips a second of eight clients beside those of as many
// goroutines as there are processors.
func BenchmarkServing(b *testing.B) {
	defer heap.LetGrow(64 << 20)() // as wavemill does
	for name, config := range map[string]string{"stored first": "{}", "answered first": "{store_first: false}"} {
		b.Run(name, func(b *testing.B) { benchmarkServing(b, config) })
	}
}

func benchmarkServing(b *testing.B, config string) {
	s, m := servedVAE(b, config)
	p := func(i int) sampling.Provenance {
		return sampling.Provenance{Label: sounds[i%len(sounds)], Seed: uint64(i)}
	}
	direct := func(i int) {
		clip, err := s.Generate(b.Context(), p(i))
		if err == nil {
			_, err = clip.WAV(wav.PCM16)
		}
		if err != nil && !errors.Is(err, sampling.ErrSilent) {
			b.Error(err)
		}
	}
	seed := atomic.Uint64{}
	seed.Store(1 << 20) // No clip is asked for twice.
	request := func(i int) {
		data := fmt.Appendf(nil, `{"label":%q,"seed":%d}`, sounds[i%len(sounds)], seed.Add(1))
		reply, err := m.bus.Conn().Request("t.generate", data, patience)
		if err != nil || reply.Header.Get("Nats-Service-Error") != "" && !strings.Contains(string(reply.Data), "silent") {
			b.Errorf("%v %v", reply, err)
		}
	}
	for i := range 40 {
		direct(i)
		request(i)
	}
	timed := func(f func(int), i int) float64 {
		began := time.Now()
		f(i)
		return time.Since(began).Seconds() * 1000
	}
	stored := func(i int) { // What storing a clip takes alone: the server syncs it to disk before it confirms.
		_, err := m.bus.Publish(b.Context(), &pipeline.Message{ID: fmt.Sprint("stored ", seed.Add(1), i), Type: pipeline.TypeClip, Label: "stored", Body: make([]byte, 12000)})
		if err != nil {
			b.Error(err)
		}
	}
	var alone, bus, store []float64
	b.ResetTimer()
	for i := range b.N {
		alone = append(alone, timed(direct, i))
		bus = append(bus, timed(request, i))
		store = append(store, timed(stored, i))
	}
	b.StopTimer()
	rate := func(clients int, f func(int)) float64 {
		began, next := time.Now(), atomic.Int64{}
		var group sync.WaitGroup
		for range clients {
			group.Go(func() {
				for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
					f(int(i))
				}
			})
		}
		group.Wait()
		return float64(b.N) / time.Since(began).Seconds()
	}
	var aloneRate, busRate float64
	for range 3 { // By turns; the best of each.
		aloneRate = max(aloneRate, rate(runtime.GOMAXPROCS(0), direct))
		busRate = max(busRate, rate(8, request))
	}
	slices.Sort(alone)
	slices.Sort(bus)
	slices.Sort(store)
	at := func(x []float64, q float64) float64 { return x[min(len(x)-1, int(q*float64(len(x))))] }
	b.ReportMetric(at(alone, 0.5), "alone-p50-ms")
	b.ReportMetric(at(bus, 0.5), "bus-p50-ms")
	b.ReportMetric(at(alone, 0.99), "alone-p99-ms")
	b.ReportMetric(at(bus, 0.99), "bus-p99-ms")
	b.ReportMetric(at(store, 0.5), "store-p50-ms")
	b.ReportMetric(at(store, 0.99), "store-p99-ms")
	b.ReportMetric(at(bus, 0.5)/at(alone, 0.5), "p50-ratio")
	b.ReportMetric(at(bus, 0.99)/at(alone, 0.99), "p99-ratio")
	b.ReportMetric(aloneRate, "alone-clips/s")
	b.ReportMetric(busRate, "bus-clips/s")
}

// With store_first: false the answer comes before the clip is stored, and it is stored all the same.
func TestAnswersBeforeItStores(t *testing.T) {
	m := newMill(t, "{store_first: false}", generate.Hooks{}, nil)
	m.train(1)
	<-m.inUse
	ids := map[string]bool{}
	for seed := range 20 {
		reply := m.ask(fmt.Sprintf(`{"label":"high","seed":%d}`, 1000+seed))
		if code := reply.Header.Get("Nats-Service-Error-Code"); code != "" {
			t.Fatalf("%s: %s", code, reply.Data)
		}
		ids[reply.Header.Get("Nats-Msg-Id")] = true
	}
	m.stop(m.p) // It finishes what it has begun.
	for msg, err := range m.bus.Messages(t.Context(), pipeline.Subscription{Stream: pipeline.TypeClip, From: 1, Last: true}) {
		if err != nil {
			t.Fatal(err)
		}
		delete(ids, msg.ID)
	}
	if len(ids) > 0 {
		t.Errorf("answered and not stored: %v", ids)
	}
}

// A clip that was answered waits for longer than a client would while its stream is full, and is stored when there is room. One that
// the stream does not take before the operator has stopped is counted.
func TestAnsweredClipsWaitForTheirStream(t *testing.T) {
	m := newMill(t, "{store_first: false}", generate.Hooks{}, nil)
	m.train(1)
	<-m.inUse
	js, name := m.bus.JetStream(), m.bus.Spec().StreamName(pipeline.TypeClip)
	limit := func(bytes int64) {
		t.Helper()
		stream, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		config := stream.CachedInfo().Config
		config.MaxBytes = bytes
		if _, err := js.UpdateStream(t.Context(), config); err != nil {
			t.Fatal(err)
		}
	}
	details := func() generate.Details { return m.p.Snapshot()[0].Details.(generate.Details) }
	ask := func(seed int) string {
		t.Helper()
		reply := m.ask(fmt.Sprintf(`{"label":"high","seed":%d}`, seed))
		if code := reply.Header.Get("Nats-Service-Error-Code"); code != "" {
			t.Fatalf("%s: %s", code, reply.Data)
		}
		return reply.Header.Get("Nats-Msg-Id")
	}
	stored := func(id string) bool {
		for msg, err := range m.bus.Messages(t.Context(), pipeline.Subscription{Stream: pipeline.TypeClip, From: 1, Last: true}) {
			if err == nil && msg.ID == id {
				return true
			}
		}
		return false
	}
	limit(100)
	id, answered := ask(1), time.Now()
	for time.Since(answered) < 6*time.Second { // Longer than a request waits for its stream before it fails.
		if n := details().Unstored; n != 0 {
			t.Fatalf("given up after %v", time.Since(answered))
		}
		time.Sleep(10 * time.Millisecond) // A poll: that nothing happens is what is tested.
	}
	limit(-1)
	for deadline := time.Now().Add(patience); !stored(id); time.Sleep(10 * time.Millisecond) { // A poll.
		if time.Now().After(deadline) {
			t.Fatal("the clip is not stored although there is room")
		}
	}
	limit(100)
	id = ask(2)
	m.stop(m.p)
	if n := details().Unstored; n != 1 || stored(id) {
		t.Errorf("%d clips are counted as not stored, want the one of the request before the stop", n)
	}
}

// servedVAE serves a VAE of default size for clips of 0.7 s at 8 kHz, and returns a sampler of it.
func servedVAE(b *testing.B, config string) (*sampling.Sampler, *mill) {
	b.Helper()
	fe := frontend.Plan([]int{8000}, []time.Duration{700 * time.Millisecond})
	l, err := architectures.NewLearner("vae", json.RawMessage(`{}`), fe, sounds, 1)
	if err != nil {
		b.Fatal(err)
	}
	data := modeltest.Clips(48, fe.Frames, fe.Spectrogram.Bins(), len(sounds), 1)
	c, err := (&models.Trainer{Steps: 20, BatchSize: 16, Seed: 1}).Run(b.Context(), l, data, models.Batch{})
	if err != nil {
		b.Fatal(err)
	}
	m := newMill(b, config, generate.Hooks{}, nil, architectures.Open)
	content, err := c.Encode()
	if err != nil {
		b.Fatal(err)
	}
	digest, err := c.Digest()
	if err != nil {
		b.Fatal(err)
	}
	if m.entry, err = m.bus.Models().Put(b.Context(), "vae", digest, content, nil, m.entry); err != nil {
		b.Fatal(err)
	}
	<-m.inUse
	s, err := sampling.Open(c)
	if err != nil {
		b.Fatal(err)
	}
	return s, m
}

// Requests that wait together share a run of the network. Each gets the bytes that it gets alone.
func TestWaitingRequestsAreBatched(t *testing.T) {
	m, s := newSmallMill(t, "vae")
	m.ask(`{"label":"kick"}`) // It has joined.
	const n = 60
	answers, err := m.bus.Conn().SubscribeSync("answers")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answers.Unsubscribe() }()
	for i := range n {
		request := fmt.Sprintf(`{"label":%q,"seed":%d}`, sounds[i%3], 100+i)
		if i%5 == 4 {
			request = fmt.Sprintf(`{"label":%q,"seed":%d,"temperature":0.5}`, sounds[i%3], 100+i)
		}
		if i%7 == 6 {
			request = fmt.Sprintf(`{"label":%q,"seed":%d,"mix":{"label":%q,"weight":0.25}}`, sounds[i%3], 100+i, sounds[(i+1)%3])
		}
		if err := m.bus.Conn().PublishRequest("t.generate", "answers", []byte(request)); err != nil {
			t.Fatal(err)
		}
	}
	for range n {
		msg, err := answers.NextMsg(patience)
		if err != nil {
			t.Fatal(err)
		}
		p, encoding, err := sampling.ReadProvenance(msg.Data)
		if err != nil {
			t.Fatalf("%v %s", err, msg.Data)
		}
		clip, err := s.Generate(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		if want, err := clip.WAV(encoding); err != nil || !slices.Equal(want, msg.Data) {
			t.Errorf("seed %d differs from the clip that is made alone: %v", p.Seed, err)
		}
	}
}
