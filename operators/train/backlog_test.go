package train_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline"
)

// consumer makes a durable consumer that nobody reads.
func (m *mill) consumer(stream, name string) jetstream.Consumer {
	m.t.Helper()
	c, err := m.bus.JetStream().CreateOrUpdateConsumer(m.t.Context(), m.bus.Spec().StreamName(stream), jetstream.ConsumerConfig{
		Durable: name, AckPolicy: jetstream.AckExplicitPolicy,
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

// record publishes recordings, which no stage of the mill reads.
func (m *mill) record(names ...string) {
	m.t.Helper()
	for _, name := range names {
		if _, err := m.bus.Publish(m.t.Context(), &pipeline.Message{ID: name, Type: pipeline.TypeAudio, Label: "a", Body: []byte(name)}); err != nil {
			m.t.Fatal(err)
		}
	}
}

// listings counts the goroutines that list consumers.
func listings() int {
	buf := make([]byte, 4<<20)
	return strings.Count(string(buf[:runtime.Stack(buf, true)]), "ListConsumers.func")
}

// A trainer that waits for a backlog asks for it again and again; no request leaves a goroutine behind.
func TestLooksAtBacklogsWithoutALeak(t *testing.T) {
	m := newMill(t, t.TempDir(), quick)
	m.record("one", "two")
	for _, name := range []string{"t-first", "t-second", "t-third"} {
		m.consumer(pipeline.TypeAudio, name)
	}
	asked, err := m.bus.Conn().SubscribeSync("$JS.API.CONSUMER.LIST.T_AUDIO")
	if err != nil {
		t.Fatal(err)
	}
	m.told = asked
	m.feed(dozen()...)
	m.start()
	for range 6 {
		if _, err := asked.NextMsg(patience); err != nil {
			t.Fatal(err)
		}
	}
	m.until("no more than the listing at work is left", func() bool { return listings() <= 1 })
}

// between is a pipeline file whose other stages run elsewhere, or not at all.
const between = `
name: t
operators:
  - {operator: convert, from: audio, to: spectrogram}
  - {operator: train, config: ` + quick + `}
  - {operator: embed, from: spectrogram, to: embedding}
  - {operator: listen, from: audio, to: heard}
`

// Backlogs of stages beside the trainer, of stages that are in the file no more, and of other programs do not keep it from
// learning.
func TestWaitsForNoOtherConsumers(t *testing.T) {
	m := millOf(t, t.TempDir(), "train", between)
	m.hooks.Patience = time.Hour
	m.record("one", "two")
	for stream, names := range map[string][]string{
		pipeline.TypeSpectrogram: {"t-embed", "t-removed", "aaa-backup"},
		pipeline.TypeAudio:       {"t-listen", "t-removed", "t-train", "aaa-backup"},
	} {
		for _, name := range names {
			m.consumer(stream, name)
		}
	}
	m.feed(dozen()...)
	m.start()
	if e := m.complete(1); e.Clips != 12 {
		t.Errorf("%+v", e)
	}
}

// While recordings are on their way, the status says how many there are, and in front of which stage.
func TestSaysWhatItWaitsFor(t *testing.T) {
	m := millOf(t, t.TempDir(), "train", between)
	m.hooks.Patience = time.Hour
	m.record("one", "two")
	convert := m.consumer(pipeline.TypeAudio, "t-convert")
	m.start()
	m.until("it waits for clips", func() bool { return strings.HasPrefix(m.details().Waiting, "there are 0 clips") })
	m.feed(dozen()...)
	for _, want := range []string{"waiting for 2 messages of t-convert", "waiting for 1 message of t-convert"} {
		m.until(want, func() bool { return m.details().Waiting == want })
		if len(m.all()) > 0 {
			t.Fatal("it has not waited")
		}
		msg, err := convert.Next(jetstream.FetchMaxWait(patience))
		if err == nil {
			err = msg.DoubleAck(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	m.complete(1)
	m.until("it waits for nothing", func() bool { return m.details().Waiting == "" })
}

// A backlog of which nothing is done is waited for only so long: that of a stage of the file, and that of a stage which a file
// of the trainer alone does not know.
func TestWaitsForADeadStageOnlySoLong(t *testing.T) {
	for consumer, file := range map[string]string{
		"t-convert":   between,
		"t-elsewhere": "name: t\noperators: [{operator: train, config: " + quick + "}]",
	} {
		m := millOf(t, t.TempDir(), "train", file)
		m.hooks.Patience = 300 * time.Millisecond
		m.record("one", "two", "three")
		m.consumer(pipeline.TypeAudio, consumer)
		m.feed(dozen()...)
		m.start()
		m.until("it names "+consumer, func() bool { return m.details().Waiting == "waiting for 3 messages of "+consumer })
		m.complete(1)
		m.feed(clip("a", "x", 50), clip("b", "y", 51), clip("b", "z", 52))
		m.complete(2)
	}
}
