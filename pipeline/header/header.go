// Package header defines the names of the headers on the bus, and the encoding of their values.
//
// A NATS header value is one line of bytes. Printable ASCII is written as it is. Any other value (other alphabets, control
// characters, spaces at either end, text that looks encoded) is written as RFC 2047 encoded words, which mail libraries of
// every language decode. Raw UTF-8 from other clients is accepted.
package header

import (
	"mime"
	"strings"
)

// Headers of the contract. Names are case-sensitive on NATS.
const (
	ContentType = "Content-Type"
	Traceparent = "traceparent" // Traceparent is the W3C trace context, in lower case as NATS clients write it.
	Tracestate  = "tracestate"  // Tracestate is its part that belongs to vendors.

	Label       = "Wavemill-Label"       // Label is the true label; the subject's last token is its slug.
	Type        = "Wavemill-Type"        // Type is the message type, where the stream is not the one of that name.
	Source      = "Wavemill-Source"      // Source names the recording, for example its file name.
	Recording   = "Wavemill-Recording"   // Recording is the hexadecimal digest of the decoded recording.
	Fingerprint = "Wavemill-Fingerprint" // Fingerprint is text that is similar for near copies of one recording.
	Group       = "Wavemill-Group"       // Group names what recordings share, such as a speaker or a session.
	Model       = "Wavemill-Model"       // Model is the digest of the checkpoint that made a clip.
	Seed        = "Wavemill-Seed"        // Seed repeats a clip, with the model and the label.
	Confidence  = "Wavemill-Confidence"  // Confidence is a number in [0, 1].
	Spectrogram = "Wavemill-Spectrogram" // Spectrogram is the transform's configuration as JSON.
	FrontEnd    = "Wavemill-Front-End"   // FrontEnd is everything between clip and spectrogram as JSON, the transform included.
	Truncated   = "Wavemill-Truncated"   // Truncated is "true" where the recording's file ends before the data that it declares.
	Features    = "Wavemill-Features"    // Features says what an embedding is made of.
	Chunk       = "Wavemill-Chunk"       // Chunk is the number of a piece of endless audio, from 0.
	Last        = "Wavemill-Last"        // Last is "true" on the last piece of a source.
	Start       = "Wavemill-Start"       // Start is where a clip begins in its source, in seconds.
	End         = "Wavemill-End"         // End is where it ends.
	Topup       = "Wavemill-Topup"       // Topup is the stage that has topped up a label with the clip.
	Only        = "Wavemill-Only"        // Only names the one stage that works on a replayed message; other readers of the stream pass it over.
	Object      = "Wavemill-Object"      // Object names a stored body; the message's own body is then empty.
)

// Headers of a message that a guard has judged.
const (
	Guard       = "Wavemill-Guard"        // Guard is passed, refused, or accepted where a person has let a refused message pass.
	GuardRules  = "Wavemill-Guard-Rules"  // GuardRules are the names of the rules that the message breaks, with commas.
	GuardReason = "Wavemill-Guard-Reason" // GuardReason says the same on one line for a person.
	GuardScores = "Wavemill-Guard-Scores" // GuardScores is JSON: what was measured.
	GuardBasis  = "Wavemill-Guard-Basis"  // GuardBasis is JSON: by which clips and which model was judged.
	GuardLabel  = "Wavemill-Guard-Label"  // GuardLabel is the label that a relabelled message had.
)

// Headers of a message in quarantine, beside its own and those of the guard.
const (
	QuarantineOperator  = "Wavemill-Quarantine-Operator"   // QuarantineOperator is the stage that refused the message.
	QuarantineType      = "Wavemill-Quarantine-Type"       // QuarantineType is the type of the message.
	QuarantineTo        = "Wavemill-Quarantine-To"         // QuarantineTo is the stream that it would have passed to.
	QuarantineStream    = "Wavemill-Quarantine-Stream"     // QuarantineStream and QuarantineSequence are the place of the original.
	QuarantineSequence  = "Wavemill-Quarantine-Sequence"   //
	QuarantineMessageID = "Wavemill-Quarantine-Message-Id" // QuarantineMessageID is the original's Nats-Msg-Id.
)

// Values of the header [Guard].
const (
	Passed   = "passed"
	Refused  = "refused"
	Accepted = "accepted"
)

// Headers of a dead letter, beside the headers of the failed message.
const (
	DeadReason    = "Wavemill-Dead-Reason"     // DeadReason is the error as one line of text.
	DeadError     = "Wavemill-Dead-Error"      // DeadError is the error as JSON: operator, kind, message, cause.
	DeadKind      = "Wavemill-Dead-Kind"       // DeadKind is invalid, transient or other.
	DeadAttempts  = "Wavemill-Dead-Attempts"   // DeadAttempts counts deliveries.
	DeadOperator  = "Wavemill-Dead-Operator"   // DeadOperator is the stage that failed.
	DeadSubject   = "Wavemill-Dead-Subject"    // DeadSubject is the subject of the original.
	DeadStream    = "Wavemill-Dead-Stream"     // DeadStream and DeadSequence are the place of the original.
	DeadSequence  = "Wavemill-Dead-Sequence"   //
	DeadMessageID = "Wavemill-Dead-Message-Id" // DeadMessageID is the original's Nats-Msg-Id.
	DeadTime      = "Wavemill-Dead-Time"       // DeadTime is the time of the failure, RFC 3339.
	DeadLeftOut   = "Wavemill-Dead-Left-Out"   // DeadLeftOut names headers of the failed message that the letter cannot have.
	DeadSettled   = "Wavemill-Dead-Settled"    // DeadSettled is on notes about letters that have been removed: replayed or purged.
)

// Reserved reports whether the name is one by which a server or a client of NATS says something of its own: Nats-*, and Status and
// Description, with which it answers. Such a header of a message is not passed on to another message.
func Reserved(name string) bool {
	return strings.HasPrefix(name, "Nats-") || name == "Status" || name == "Description"
}

// Sendable reports whether the nats client sends a message with a header of this name.
func Sendable(name string) bool {
	return name != "" && strings.IndexFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"()/,:;<=>?@[\\]{}", r) }) < 0
}

// TraceID returns the trace id of a traceparent, 32 hexadecimal digits, and "" where it has none.
// https://www.w3.org/TR/trace-context/
func TraceID(traceparent string) string {
	parts := strings.Split(traceparent, "-")
	if len(parts) < 4 || len(parts[1]) != 32 || strings.Trim(parts[1], "0123456789abcdef") != "" || strings.Trim(parts[1], "0") == "" {
		return ""
	}
	return parts[1]
}

// EncodeValue writes any string as a header value: itself where it is plain printable ASCII, else RFC 2047 encoded
// words in UTF-8. [DecodeValue] is its inverse for every string.
func EncodeValue(s string) string {
	if plain(s) {
		return s
	}
	encoded := mime.QEncoding.Encode("utf-8", s)
	if encoded == s { // Printable ASCII that only looks encoded, or has spaces at an end.
		return quoteASCII(s)
	}
	return encoded
}

// DecodeValue decodes the encoded words in a header value. It returns a value that is not well-formed unchanged.
func DecodeValue(s string) string {
	if !strings.Contains(s, "=?") {
		return s
	}
	decoded, err := new(mime.WordDecoder).DecodeHeader(s)
	if err != nil {
		return s
	}
	return decoded
}

func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return strings.TrimSpace(s) == s && !strings.Contains(s, "=?")
}

// quoteASCII writes printable ASCII as one or more encoded words of at most 75 bytes.
func quoteASCII(s string) string {
	const digits = "0123456789ABCDEF"
	const open, end, maxWord = "=?utf-8?q?", "?=", 75
	var b strings.Builder
	room := 0
	for i := range len(s) {
		if room < 3 {
			if i > 0 {
				b.WriteString(end + " ")
			}
			b.WriteString(open)
			room = maxWord - len(open) - len(end)
		}
		c := s[i]
		switch {
		case c == ' ':
			b.WriteByte('_')
			room--
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			b.WriteByte(c)
			room--
		default:
			b.WriteByte('=')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
			room -= 3
		}
	}
	b.WriteString(end)
	return b.String()
}
