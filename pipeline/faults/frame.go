package faults

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Limits of frames: of a line of the protocol, and of a message with its headers, as nats-server has them.
const (
	maxLine    = 64 << 10
	maxMessage = 64 << 20
)

// A frame is one operation of the NATS client protocol: a line and, of messages, what follows it.
type frame struct {
	verb    string // PUB, HPUB, MSG, HMSG; of other operations empty.
	subject string
	payload []byte // With headers.
	bytes   []byte // All of it.
}

// isAck reports whether the frame is a client's acknowledgement of a JetStream message.
func (f frame) isAck() bool {
	return (f.verb == "PUB" || f.verb == "HPUB") && len(f.subject) > 8 && f.subject[:8] == "$JS.ACK."
}

// isPubAck reports whether the frame is a stream's confirmation.
func (f frame) isPubAck() bool {
	return (f.verb == "MSG" || f.verb == "HMSG") && bytes.Contains(f.payload[:min(len(f.payload), 512)], []byte(`"stream":"`)) &&
		bytes.Contains(f.payload[:min(len(f.payload), 512)], []byte(`"seq":`)) && !bytes.Contains(f.payload[:min(len(f.payload), 512)], []byte(`"type":`))
}

// frames reads operations from one direction of a connection.
type frames struct{ r *bufio.Reader }

func newFrames(r io.Reader) *frames { return &frames{bufio.NewReaderSize(r, maxLine)} }

// errFrame is the error of bytes that are not the NATS protocol, such as TLS.
var errFrame = errors.New("not the NATS protocol")

// next returns the next operation. Its bytes are the frame's own.
func (f *frames) next() (frame, error) {
	line, err := f.r.ReadSlice('\n')
	if err != nil {
		return frame{}, err
	}
	out := frame{bytes: bytes.Clone(line)}
	fields := bytes.Fields(line)
	if len(fields) < 3 {
		return out, nil
	}
	switch verb := string(bytes.ToUpper(fields[0])); verb {
	case "PUB", "HPUB", "MSG", "HMSG":
		size, err := strconv.Atoi(string(fields[len(fields)-1]))
		if err != nil || size < 0 || size > maxMessage {
			return frame{}, fmt.Errorf("%w: %.40q", errFrame, line)
		}
		out.verb, out.subject = verb, string(fields[1])
		head := len(out.bytes)
		body, err := io.ReadAll(io.LimitReader(f.r, int64(size)+2)) // Grows as it is read: the size is a claim.
		if err != nil || len(body) < size+2 {
			return frame{}, errors.Join(err, io.ErrUnexpectedEOF)
		}
		out.bytes = append(out.bytes, body...)
		out.payload = out.bytes[head : head+size]
	}
	return out, nil
}
