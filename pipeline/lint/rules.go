package lint

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"wavemill/pipeline"
	"wavemill/pipeline/server"
)

// longWindow is the duplicate window above which the memory that it takes is warned of: the server keeps every id of it.
const longWindow = 2 * time.Hour

// rules warns of what can run and is probably not meant.
func (c *checker) rules(spec pipeline.Spec) {
	if len(spec.Operators) == 0 {
		return
	}
	routes := spec.Routes(c.reg)
	c.streams(spec, routes)
	c.models(routes)
	c.window(spec)
	c.sizes(spec)
}

// stage is the place of the i-th operator, or of one of its fields.
func (c *checker) stage(i int, field string) place {
	n := c.doc.operator(i)
	for _, p := range pairs(n) {
		if name(p) == field {
			return at(p.Key)
		}
	}
	if all := pairs(n); len(all) > 0 {
		return at(all[0].Key)
	}
	return at(n)
}

// field is the place of a field of the section streams, or of the section.
func (c *checker) field(key string) place {
	section := c.doc.resolve(value(c.doc.root, "streams"))
	for _, p := range pairs(section) {
		if name(p) == key {
			return at(p.Key)
		}
	}
	return at(section)
}

// streams warns of streams that nobody writes, and of streams of the file's own that nobody reads. Clients may write what
// has the name of a message type; that a name of the file's own is not written is an error that [pipeline.Check] finds.
func (c *checker) streams(spec pipeline.Spec, routes []pipeline.Route) {
	standard := []string{pipeline.TypeAudio, pipeline.TypeSpectrogram, pipeline.TypeClip, pipeline.TypeQuarantine, pipeline.TypeDLQ}
	for i, r := range routes {
		written := slices.ContainsFunc(routes, func(o pipeline.Route) bool { return o.To == r.From })
		read := slices.ContainsFunc(routes, func(o pipeline.Route) bool { return o.From == r.To })
		switch {
		case r.From != "" && r.From != pipeline.TypeAudio && r.From != pipeline.TypeDLQ && slices.Contains(standard, r.From) && !written && !slices.Contains(spec.Inputs, r.From):
			c.report(c.stage(i, "from"), Warning, "dangling-stream", "operator %s reads the stream %s, which no operator of this file writes; list %s under inputs if clients publish there", r.Stage, r.From, r.From)
		case r.To != "" && !slices.Contains(standard, r.To) && !read:
			c.report(c.stage(i, "to"), Warning, "unread-stream", "operator %s writes the stream %s, which no operator of this file reads", r.Stage, r.To)
		}
	}
}

// models reports operators that wait for a model that nobody trains.
func (c *checker) models(routes []pipeline.Route) {
	var made []string
	for _, r := range routes {
		if r.Makes != "" {
			made = append(made, r.Makes)
		}
	}
	for i, r := range routes {
		if r.Uses == "" || slices.Contains(made, r.Uses) {
			continue
		}
		advice := "add an operator train, or name a checkpoint in file"
		if len(made) > 0 {
			advice = "the operators of this file train: " + strings.Join(made, ", ")
		}
		level := Warning
		if len(made) > 0 {
			level = Error // Two names that do not match, rather than a pipeline in parts.
		}
		c.report(c.stage(i, "config"), level, "model", "operator %s waits for the model %q, which nobody in this file trains; %s", r.Stage, r.Uses, advice)
	}
	for i, name := range made {
		if j := slices.Index(made, name); j != i {
			at := slices.IndexFunc(routes, func(r pipeline.Route) bool { return r.Makes == name })
			c.report(c.stage(at, "config"), Error, "model", "two operators train the model %q: one of them would never work; give them different names (config.name)", name)
		}
	}
}

// window checks the arithmetic of the duplicate window: it must cover all attempts at a message, the longest ack_wait of a
// process that died, and the outage to survive.
func (c *checker) window(spec pipeline.Spec) {
	window, outage := spec.DuplicateWindow(), spec.Streams.Outage
	sum := fmt.Sprintf("the duplicate window is %v, the longest max_attempts x ack_wait with the delays between them plus an outage of %v", window.Round(time.Second), outage)
	if window > longWindow {
		c.report(c.field("outage"), Warning, "duplicate-window", "%s: the server keeps the ids of all messages of that time in memory; lower ack_wait, max_attempts or streams.outage", sum)
	}
	for i, o := range spec.Operators {
		if outage < o.AckWait {
			c.report(c.stage(i, "ack_wait"), Warning, "duplicate-window", "ack_wait is %v and streams.outage %v: a message of a process that dies is delivered again after ack_wait, later than the outage that the streams cover; %s", o.AckWait, outage, sum)
		}
		if o.Timeout > 0 && o.MaxAttempts > 1 && time.Duration(o.MaxAttempts)*o.Timeout > window {
			c.report(c.stage(i, "timeout"), Warning, "duplicate-window", "%d attempts of %v (max_attempts, timeout) take longer than %v; %s. Outputs are then looked for in the streams, which takes time", o.MaxAttempts, o.Timeout, window.Round(time.Second), sum)
		}
	}
	if spec.Streams.Bind {
		c.report(c.field("bind"), Warning, "duplicate-window", "streams are not created (bind): give them a duplicate window of at least %v; %s", window.Round(time.Second), sum)
	}
}

// sizes checks limits against the size of messages.
func (c *checker) sizes(spec pipeline.Spec) {
	if spec.Streams.MaxBytes > 0 && spec.Streams.MaxBytes < server.MaxPayload {
		c.report(c.field("max_bytes"), Warning, "payload", "max_bytes is %d: one message of the largest size, %d bytes, does not fit into the stream, and its publisher waits for ever", spec.Streams.MaxBytes, server.MaxPayload)
	}
	if spec.Streams.MaxAge > spec.Streams.ObjectTTL {
		c.report(c.field("max_age"), Warning, "payload", "messages are kept for %v (max_age), and bodies above the server's max_payload for %v (object_ttl): such a message outlives its body and becomes a dead letter when it is read late", spec.Streams.MaxAge, spec.Streams.ObjectTTL)
	}
}
