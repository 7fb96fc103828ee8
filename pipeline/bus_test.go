package pipeline_test

import (
	"testing"

	"github.com/nats-io/nats.go"

	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

func natsMsg(subject, name, value string) *nats.Msg {
	m := nats.NewMsg(subject)
	m.Header.Set(name, value)
	return m
}

// kept2 returns the dead letters whose bodies can be read; of others only the headers count.
func kept2(t *testing.T, bus *pipeline.Bus) []*pipeline.Message {
	t.Helper()
	var all []*pipeline.Message
	stream := rawStream(t, bus, pipeline.TypeDLQ)
	for seq := uint64(1); seq <= stream.CachedInfo().State.LastSeq; seq++ {
		raw, err := stream.GetMsg(within(t), seq)
		if err != nil {
			t.Fatal(err)
		}
		m := &pipeline.Message{Label: header.DecodeValue(raw.Header.Get(header.Label)), Body: raw.Data, Header: map[string]string{}}
		for name := range raw.Header {
			m.Header[name] = header.DecodeValue(raw.Header.Get(name))
		}
		all = append(all, m)
	}
	return all
}
