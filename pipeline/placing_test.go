package pipeline_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"wavemill/pipeline"
)

// relayed answers the requests of a JetStream domain with those of the server itself, but refuses the first ones that create streams,
// as a cluster does whose leader has not heard from all servers yet. It counts what it refused.
func relayed(t *testing.T, url, domain string, refusals int32) *atomic.Int32 {
	t.Helper()
	conn, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	var refused atomic.Int32
	prefix := "$JS." + domain + ".API."
	if _, err := conn.Subscribe(prefix+">", func(m *nats.Msg) {
		call := strings.TrimPrefix(m.Subject, prefix)
		if strings.HasPrefix(call, "STREAM.CREATE.") && refused.Load() < refusals {
			refused.Add(1)
			_ = m.Respond([]byte(`{"type": "io.nats.jetstream.api.v1.stream_create_response", "error": {"code": 400, "err_code": 10005, ` +
				`"description": "no suitable peers for placement, peer offline"}}`)) // The client's error otherwise.
			return
		}
		if err := conn.PublishMsg(&nats.Msg{Subject: "$JS.API." + call, Reply: m.Reply, Data: m.Data, Header: m.Header}); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	return &refused
}

// TestOpenWaitsForTheCluster: servers of a cluster that the leader has not heard from yet are no reason to give up; a cluster that stays
// too small is named in the error.
func TestOpenWaitsForTheCluster(t *testing.T) {
	e := newExternal(t)
	spec := pipeline.Spec{Name: "t", NATS: e.url(), Auth: pipeline.Auth{Domain: "forms"}}
	refused := relayed(t, e.url(), "forms", 3)
	bus, err := pipeline.Open(within(t), spec, pipeline.BusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := bus.Close(within(t)); err != nil {
		t.Error(err)
	}
	if n := refused.Load(); n != 3 {
		t.Errorf("%d refusals, want 3", n)
	}
	spec.Name, spec.Auth.Domain = "u", "small"
	relayed(t, e.url(), "small", 1000)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = pipeline.Open(ctx, spec, pipeline.BusOptions{})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "streams.replicas") {
		t.Errorf("%v", err)
	}
}
