package contract_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	guardoperator "wavemill/operators/guard"
	"wavemill/operators/spectrogram"
	"wavemill/operators/topup"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// guard and topup work with the rights that docs/nats.conf gives them.
func TestRightsOfGuardAndTopup(t *testing.T) {
	url := guardedServer(t)
	var warned warnings
	log := slog.New(slog.NewTextHandler(&warned, &slog.HandlerOptions{Level: slog.LevelWarn}))
	whole, err := pipeline.ParseSpec([]byte(`
name: mill
operators:
  - {operator: spectrogram, config: {rate: 8000, duration: 300ms}}
  - {operator: guard, from: spectrogram, to: guarded, config: {idle: 100ms, model: vae}}
  - {operator: topup, config: {to: 3, idle: 100ms}}
`))
	if err != nil {
		t.Fatal(err)
	}
	reg := pipeline.Registry{"spectrogram": spectrogram.Factory(), "guard": guardoperator.Factory(), "topup": topup.Factory(topup.Hooks{})}
	var guarding *pipeline.Bus
	for _, o := range whole.Operators {
		one, err := whole.Only(o.Name)
		if err != nil {
			t.Fatal(err)
		}
		one.NATS, one.Auth = url, pipeline.Auth{User: o.Name, Password: o.Name + "-secret"}
		if o.Name != "guard" { // The rights to the stream guarded are the guard's.
			one = alone(one)
		}
		bus, _ := runLogged(t, one, reg, log)
		if o.Name == "guard" {
			guarding = bus
		}
	}
	c := dial(t, strings.Replace(url, "nats://", "nats://client:client-secret@", 1), "mill")
	for i := range 4 {
		c.publish("low", nil, tone(300+150*float64(i), 0))
	}
	c.publish("low", nil, tone(300, 0)) // A copy of the first.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for passed, refused := 0, 0; passed < 1 || refused < 1 || passed+refused < 5; {
		passed, refused = judged(ctx, guarding, "guarded"), judged(ctx, guarding, pipeline.TypeQuarantine)
		select {
		case <-ctx.Done():
			t.Fatalf("%d have passed and %d are refused; warnings: %s", passed, refused, warned.lines)
		case <-time.After(50 * time.Millisecond):
		}
	}
	for _, line := range warned.lines {
		if strings.Contains(strings.ToLower(line), "permission") {
			t.Error(line)
		}
	}
}

// alone forgets the other stages of a pipeline, and their streams.
func alone(s pipeline.Spec) pipeline.Spec {
	return pipeline.Spec{Name: s.Name, NATS: s.NATS, Auth: s.Auth, Streams: s.Streams, Operators: s.Operators}
}

// judged counts the messages of a stream that a guard has judged; of one that does not exist there are none.
func judged(ctx context.Context, bus *pipeline.Bus, stream string) (n int) {
	for m, err := range bus.Messages(ctx, pipeline.Subscription{Stream: stream, From: 1, Last: true}) {
		if err == nil && m.Header[header.Guard] != "" {
			n++
		}
	}
	return n
}
