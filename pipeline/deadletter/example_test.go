package deadletter_test

import (
	"fmt"

	"github.com/nats-io/nats.go"

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
