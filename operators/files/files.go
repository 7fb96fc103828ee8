// Package files carries recordings from files to the bus, and generated clips from the bus to files: the two ends of a
// pipeline, where there is no operator. It joins package audio/dataset (labelled files) to package pipeline (messages).
package files

import (
	"context"

	"wavemill/pipeline"
)

// MaxSize is the largest file that is published, in bytes: 1 GiB, 100 minutes of CD audio. A longer file is not one
// labelled recording.
const MaxSize = 1 << 30

// A Publisher stores messages in the stream of their type and waits for the confirmation. *pipeline.Bus is one.
type Publisher interface {
	Publish(ctx context.Context, m *pipeline.Message) (pipeline.Ack, error)
}
