package pipeline

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// An Origin is what the id of an output says: which stage has made it from which message. The id is
// <pipeline>/<operator>@<hash>/<stream>/<sequence>/<k>.
type Origin struct {
	Pipeline string
	Operator string // Operator is the name of the stage.
	Hash     string // Hash covers the stage's configuration and the creation time of its input stream.
	Stream   string // Stream and Sequence are the place of the input.
	Sequence uint64
	K        int // K counts the outputs of the input, from 0.
}

// String is the id.
func (o Origin) String() string { return o.prefix() + strconv.Itoa(o.K) }

// prefix is what the ids of all outputs of one input begin with.
func (o Origin) prefix() string {
	return fmt.Sprintf("%s/%s@%s/%s/%d/", o.Pipeline, o.Operator, o.Hash, o.Stream, o.Sequence)
}

// ParseOrigin reads the id of a message. It reports false for an id that no stage has given, such as that of a recording or of
// a clip that a client has requested.
func ParseOrigin(id string) (Origin, bool) {
	parts := strings.Split(id, "/")
	if len(parts) != 5 {
		return Origin{}, false
	}
	o := Origin{Pipeline: parts[0], Stream: parts[2]}
	var named bool
	o.Operator, o.Hash, named = strings.Cut(parts[1], "@")
	sequence, errSequence := strconv.ParseUint(parts[3], 10, 64)
	k, errK := strconv.ParseUint(parts[4], 10, 31)
	o.Sequence, o.K = sequence, int(k)
	return o, named && errSequence == nil && errK == nil && o.String() == id
}

// outputPrefix is what the ids of the outputs of one input begin with. The hash covers the configuration and the creation time
// of the input stream: a stream that was deleted and created again counts from 1, and its messages are different ones.
func (s *stage) outputPrefix(sequence uint64) string {
	return Origin{
		Pipeline: s.bus.spec.Name, Operator: s.spec.Name, Hash: shortHash(s.hash, *s.incarnation.Load()),
		Stream: s.bus.spec.StreamName(s.route.from), Sequence: sequence,
	}.prefix()
}

// opened records when the input stream was created, and up to which sequence an earlier consumer may have worked.
func (s *stage) opened(created time.Time, repeatedUpTo uint64) {
	text := created.UTC().Format(time.RFC3339Nano)
	s.incarnation.Store(&text)
	s.repeatedUpTo.Store(repeatedUpTo)
}
