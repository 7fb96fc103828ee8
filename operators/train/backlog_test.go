package train_test

import (
	"runtime"
	"strings"
	"testing"

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
