package deadletter_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/internal/allocation"
	"wavemill/pipeline/deadletter"
	"wavemill/pipeline/header"
)

// FuzzParse shows any headers to Parse: any client may publish where dead letters lie. A letter that is accepted survives
// being written.
func FuzzParse(f *testing.F) {
	f.Add("work", "the clip is silent", `{"kind":"invalid"}`, "3", "7", "2026-01-02T03:04:05Z", "X-Own", "a")
	f.Add("=?utf-8?q?=00?=", "", "{", "-1", "18446744073709551615", "yesterday", header.DeadSettled, "replayed")
	f.Fuzz(func(t *testing.T, operator, reason, failure, attempts, sequence, died, name, value string) {
		raw := &jetstream.RawStreamMsg{Subject: "t.dlq.work", Sequence: 5, Time: time.Unix(1e9, 0), Header: nats.Header{
			header.DeadOperator: {operator}, header.DeadReason: {reason}, header.DeadError: {failure},
			header.DeadAttempts: {attempts}, header.DeadSequence: {sequence}, header.DeadTime: {died}, name: {value},
		}}
		size := len(operator) + len(reason) + len(failure) + len(attempts) + len(sequence) + len(died) + len(name) + len(value)
		var l deadletter.Letter
		var err error
		allocation.Check(t, size, 200, func() { l, err = deadletter.Parse(raw) })
		if err != nil {
			return
		}
		m := l.Message("t.dlq.work")
		again, err := deadletter.Parse(&jetstream.RawStreamMsg{Subject: m.Subject, Sequence: 5, Time: raw.Time, Header: m.Header, Data: m.Data})
		if err != nil || again.Operator != l.Operator || again.Attempts != l.Attempts || again.Sequence != l.Sequence {
			t.Errorf("%+v became %+v: %v", l, again, err)
		}
	})
}
