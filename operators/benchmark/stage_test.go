package benchmark_test

import (
	"context"

	"wavemill/pipeline"
)

// stage stands for the operator spectrogram, which this package does not import: it passes recordings on.
type stage struct{}

func (stage) Input() string   { return pipeline.TypeAudio }
func (stage) Output() string  { return pipeline.TypeSpectrogram }
func (stage) Stateless() bool { return true }

func (stage) Process(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
	return emit(ctx, &pipeline.Message{Type: pipeline.TypeSpectrogram, Body: m.Body})
}
