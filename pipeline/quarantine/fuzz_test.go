package quarantine

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/internal/allocation"
	"wavemill/pipeline/header"
)

// FuzzParse shows any headers to what reads a message in quarantine.
func FuzzParse(f *testing.F) {
	f.Add("t.quarantine.kick", "silent,copy", "7", "Wavemill-Label", "=?utf-8?q?a=20b?=")
	f.Add("", ",,,", "-7", "", "")
	f.Fuzz(func(t *testing.T, subject, rules, sequence, name, value string) {
		raw := &jetstream.RawStreamMsg{Subject: subject, Sequence: 5, Header: nats.Header{
			header.GuardRules: {rules}, header.QuarantineSequence: {sequence}, name: {value},
		}}
		size := len(subject) + len(rules) + len(sequence) + len(name) + len(value)
		var m Message
		var err error
		allocation.Check(t, size, 100, func() { m, err = parse(raw) }) // a rule of no bytes is a string of 16
		if err == nil && (m.Number != 5 || m.Rules == nil) {
			t.Errorf("%+v", m)
		}
		if s := m.String(); s == "" {
			t.Error("no description")
		}
	})
}
