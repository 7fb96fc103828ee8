package deadletter_test

import (
	"context"
	"fmt"
	"os"

	"github.com/nats-io/nats.go"

	"wavemill/pipeline"
	"wavemill/pipeline/deadletter"
)

func ExampleLetter_Message() {
	l := deadletter.Letter{
		Operator: "spectrogram", Reason: "not a WAV file", Kind: "invalid", Attempts: 1,
		Subject: "mill.audio.three", Stream: "MILL_AUDIO", Sequence: 7, Label: "three",
		Header: nats.Header{"Content-Type": {"audio/wav"}}, Body: []byte("this is no audio"),
	}
	msg := l.Message("mill.dlq.spectrogram")
	fmt.Println(msg.Subject, msg.Header.Get("Nats-Msg-Id"))
	fmt.Println(msg.Header.Get("Wavemill-Dead-Reason"))
	// Output:
	// mill.dlq.spectrogram dlq-MILL_AUDIO-7
	// not a WAV file
}

// Replay what failed for one reason, after the cause is repaired.
func ExampleStore_List() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "deadletter")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	bus, err := pipeline.Open(ctx, pipeline.Spec{Name: "mill", DataDir: dir}, pipeline.BusOptions{})
	if err != nil {
		panic(err)
	}
	failed := deadletter.Letter{
		Operator: "spectrogram", Reason: "ffmpeg is not installed", Kind: "invalid", Attempts: 1, Label: "three",
		Subject: "mill.audio.three", Stream: "MILL_AUDIO", Sequence: 7, MessageID: "three_07", Body: []byte("a recording"),
	}
	if _, err := bus.JetStream().PublishMsg(ctx, failed.Message("mill.dlq.spectrogram")); err != nil { // The runtime does this.
		panic(err)
	}

	letters := bus.DeadLetters()
	for l, err := range letters.List(ctx, deadletter.Filter{Operator: "spectrogram", Reason: "ffmpeg"}) {
		if err != nil {
			panic(err)
		}
		ack, err := letters.Replay(ctx, l)
		if err != nil {
			panic(err)
		}
		fmt.Println(l.Label, "is in", ack.Stream, "again")
	}
	if err := bus.Close(ctx); err != nil {
		panic(err)
	}
	// Output: three is in MILL_AUDIO again
}
