package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// standardStreams are the streams of every pipeline. The stream quarantine is standard in name only: it is created when
// a stage names it in from or to, or emits a message of [TypeQuarantine].
func standardStreams() []string {
	return []string{TypeAudio, TypeSpectrogram, TypeClip, TypeDLQ}
}

// maxStreamName is the longest name of a stream, in bytes.
const maxStreamName = 32

// checkStreamName reports why name cannot be the name of a stream, or nil.
func checkStreamName(name string) error {
	switch {
	case !operatorName.MatchString(name):
		return fmt.Errorf("stream %q: use 1 to %d lower-case letters, digits, - and _", name, maxStreamName)
	case name == TypeModel || name == "generate" || name == "status":
		return fmt.Errorf("stream %q: the subjects <pipeline>.%s are not those of a stream; choose another name", name, name)
	}
	return nil
}

// streams returns the names of the pipeline's streams: the standard ones, and those that the spec names.
func (s Spec) streams() []string {
	names := standardStreams()
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, name := range s.Inputs {
		add(name)
	}
	for _, o := range s.stages() {
		add(o.From)
		add(o.To)
	}
	return names
}

// Subject returns <pipeline>.<stream>.<slug of label>. The stream is one of the Type constants, or a name that the
// spec gives in from, to or inputs.
func (s Spec) Subject(stream, label string) string {
	return s.name() + "." + stream + "." + Slug(label)
}

// subjects is the filter for all subjects of a stream.
func (s Spec) subjects(stream string) string { return s.name() + "." + stream + ".>" }

// StreamName returns the name that a stream has on the server, <PIPELINE>_<STREAM>.
func (s Spec) StreamName(stream string) string {
	return strings.ToUpper(s.name()) + "_" + strings.ToUpper(stream)
}

// ConsumerName returns the name of a stage's durable consumer, <pipeline>-<operator>.
func (s Spec) ConsumerName(stage string) string { return s.name() + "-" + stage }

// ModelBucket is the name of the key-value bucket and of the object store that keep models.
func (s Spec) ModelBucket() string { return strings.ToUpper(s.name()) + "_MODEL" }

// objectBucket is the name of the object store for bodies above the server's max payload.
func (s Spec) objectBucket() string { return s.bucket("OBJECT") }

// bucket is the name of one of the pipeline's buckets.
func (s Spec) bucket(name string) string { return strings.ToUpper(s.name()) + "_" + name }

func (s Spec) name() string {
	if s.Name == "" {
		return DefaultName
	}
	return s.Name
}

// duplicateWindow is how long streams remember message ids. It exceeds the longest time between two attempts at
// one message that ends in a dead letter by errors of kind Other, plus the outage the spec wants covered.
func (s Spec) duplicateWindow() time.Duration {
	longest := time.Duration(0)
	for _, o := range s.withDefaults().Operators {
		horizon := time.Duration(o.MaxAttempts) * o.AckWait
		for attempt := 1; attempt < o.MaxAttempts; attempt++ {
			horizon += retryDelay(attempt, 0)
		}
		longest = max(longest, horizon)
	}
	return longest + s.withDefaults().Streams.Outage
}
