package pipeline_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"wavemill/pipeline"
)

// A pipeline of one operator on an embedded server: it makes a clip of every recording.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()

	shouter := pipeline.Typed(struct {
		Suffix string `yaml:"suffix"`
	}{Suffix: "."}, func(c struct {
		Suffix string `yaml:"suffix"`
	}, _ pipeline.Env,
	) (pipeline.Operator, error) {
		return pipeline.OperatorFunc(func(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
			return emit(ctx, &pipeline.Message{Type: pipeline.TypeClip, Body: []byte(strings.ToUpper(string(m.Body)) + c.Suffix)})
		}), nil
	})
	spec, err := pipeline.ParseSpec([]byte(`
name: example
operators:
  - {operator: shout, from: audio, config: {suffix: "!"}}
`))
	if err != nil {
		panic(err)
	}
	spec.DataDir = dir
	bus, err := pipeline.Open(ctx, spec, pipeline.BusOptions{})
	if err != nil {
		panic(err)
	}
	p, err := pipeline.Start(ctx, bus, pipeline.Registry{"shout": shouter}, pipeline.Options{})
	if err != nil {
		panic(err)
	}
	if _, err := bus.Publish(ctx, &pipeline.Message{Type: pipeline.TypeAudio, Label: "two words", Body: []byte("hello")}); err != nil {
		panic(err)
	}
	for m, err := range bus.Messages(ctx, pipeline.Subscription{Stream: pipeline.TypeClip, From: 1}) {
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s: %s\n", m.Label, m.Body)
		break
	}
	if err := p.Stop(ctx); err != nil {
		panic(err)
	}
	if err := bus.Close(ctx); err != nil {
		panic(err)
	}
	// Output: two words: HELLO!
}
