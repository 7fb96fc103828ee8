package pipeline

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"wavemill/pipeline/header"
)

// EventType is the outcome of one attempt at a message.
type EventType string

// The events of a pipeline.
const (
	EventProcessed EventType = "processed" // EventProcessed: all outputs are stored.
	EventRetried   EventType = "retried"   // EventRetried: it failed and will be tried again.
	EventDead      EventType = "dead"      // EventDead: it became a dead letter.
)

// Event is the outcome of one attempt at one message.
type Event struct {
	Type     EventType
	Operator string
	Label    string
	Source   string // Source is the Wavemill-Source header.
	ID       string
	Sequence uint64
	Attempt  int
	Err      error // Err is nil for EventProcessed.
}

// DeadLetter describes a message that became a dead letter.
type DeadLetter struct {
	Label    string `json:"label"`
	Source   string `json:"source,omitempty"`
	ID       string `json:"id"`
	Sequence uint64 `json:"sequence"`
	Kind     Kind   `json:"-"`
	Reason   string `json:"reason"`
	Attempts int    `json:"attempts"`
}

// Status is the state of one operator since it was started in this process.
type Status struct {
	Operator    string `json:"operator"`
	Ready       bool   `json:"ready"`            // Ready: the operator runs and can do its work.
	Reason      string `json:"reason,omitempty"` // Reason says why it is not ready.
	Restarts    uint64 `json:"restarts"`         // Restarts counts how often it was started again after a failure.
	Mixed       bool   `json:"mixed,omitempty"`  // Mixed: another replica works with another configuration, and the outputs are a mixture.
	From        string `json:"from,omitempty"`   // From is the stream it reads.
	To          string `json:"to,omitempty"`     // To is the stream it writes, where that is known.
	Received    uint64 `json:"received"`         // Received counts deliveries, repeated ones too.
	Processed   uint64 `json:"processed"`        // Processed counts messages whose outputs are all stored.
	Emitted     uint64 `json:"emitted"`          // Emitted counts outputs.
	Duplicates  uint64 `json:"duplicates"`       // Duplicates counts outputs that were there already.
	Redelivered uint64 `json:"redelivered"`      // Redelivered counts deliveries that were not the first.
	Retried     uint64 `json:"retried"`          // Retried counts failures that will be tried again.
	Dead        uint64 `json:"dead"`             // Dead counts dead letters.
	DeadFailed  uint64 `json:"dead_failed"`      // DeadFailed counts failures to store a dead letter; the message is then tried again.
	// Stream and Consumer are the names on the server of what it reads.
	Stream   string `json:"stream,omitempty"`
	Consumer string `json:"consumer,omitempty"`
	// BacklogKnown: the server has told Waiting and Unacked, and the consumer can be read from.
	BacklogKnown bool `json:"-"`
	// ConsumerError says why the consumer cannot be read from, such as that it was deleted; Waiting is then out of date.
	ConsumerError string            `json:"consumer_error,omitempty"`
	Acked         uint64            `json:"acked"`                    // Acked counts acknowledgements that the server has confirmed.
	Nacked        uint64            `json:"nacked"`                   // Nacked counts deliveries that were given back for another attempt.
	Termed        uint64            `json:"termed"`                   // Termed counts messages that were ended without an acknowledgement: dead letters.
	ReceivedBytes uint64            `json:"received_bytes"`           // ReceivedBytes and EmittedBytes count bodies, repeated ones too.
	EmittedBytes  uint64            `json:"emitted_bytes"`            //
	DeadByReason  map[string]uint64 `json:"dead_by_reason,omitempty"` // DeadByReason counts dead letters by [Reasons].
	Waits         uint64            `json:"publish_waits"`            // Waits counts publications on To that took longer than five seconds, by all of this process.
	InFlight      int               `json:"held"`                     // InFlight counts messages fetched and not yet settled.
	Waiting       uint64            `json:"waiting"`                  // Waiting is the stream's backlog, as last reported.
	Unacked       uint64            `json:"unacknowledged"`           // Unacked counts messages delivered to any replica and not yet settled, as last reported.
	Busy          time.Duration     `json:"busy"`                     // Busy is the time spent in Process, summed over workers, ns.
	// Details are the operator's own, see [Detailer].
	Details any `json:"details,omitempty"`
	// DeadLetters are the last thousand, oldest first.
	DeadLetters []DeadLetter `json:"dead_letters,omitempty"`
}

// Snapshot returns the state of every operator, in the order of the spec. It is cheap and safe at any time.
func (p *Pipeline) Snapshot() []Status {
	stages := p.running()
	all := make([]Status, len(stages))
	for i, s := range stages {
		all[i] = s.snapshot()
		if p.ctx.Err() != nil {
			all[i].Ready, all[i].Reason = false, "stopping"
		}
	}
	return all
}

func (s *stage) snapshot() Status {
	c := &s.counters
	status := Status{
		Operator: s.spec.Name, From: s.route.from, To: s.route.to,
		Received: c.received.Load(), Processed: c.processed.Load(), Emitted: c.emitted.Load(),
		Duplicates: c.duplicates.Load(), Redelivered: c.redelivered.Load(), Retried: c.retried.Load(),
		Acked: c.acked.Load(), Nacked: c.nacked.Load(), Termed: c.termed.Load(),
		ReceivedBytes: c.receivedBytes.Load(), EmittedBytes: c.emittedBytes.Load(), Waits: s.bus.waits.count(s.route.to), Busy: time.Duration(c.busy.Load()), DeadLetters: c.letters(),
	}
	status.DeadByReason, status.DeadFailed = c.deaths(), s.unstored.failures()
	if n := s.bus.refused.of(s.spec.Name).Load(); n > 0 {
		status.DeadByReason[ReasonRefused] += n
	}
	for _, n := range status.DeadByReason {
		status.Dead += n
	}
	if s.route.from != "" {
		status.Stream, status.Consumer = s.bus.spec.StreamName(s.route.from), s.bus.spec.ConsumerName(s.spec.Name)
	}
	status.Restarts = s.state.restarts.Load()
	err := s.notReady()
	if status.Ready = err == nil; err != nil {
		status.Reason = oneLine(err.Error())
	}
	status.Details = s.details()
	if w := s.works.Load(); w != nil && w.loop != nil {
		status.InFlight, status.Mixed = w.loop.InFlight(), w.loop.Mixed()
		status.Waiting, status.Unacked = w.loop.Pending()
		status.BacklogKnown = w.loop.Known()
		if err := w.loop.Fault(); err != nil {
			status.ConsumerError = oneLine(err.Error())
		}
	}
	return status
}

// keptLetters is how many dead letters a snapshot remembers; the stream has all of them.
const keptLetters = 1000

type counters struct {
	received, processed, emitted, duplicates, redelivered, retried atomic.Uint64
	acked, nacked, termed, receivedBytes, emittedBytes             atomic.Uint64

	busy atomic.Int64

	mu     sync.Mutex
	recent []DeadLetter
	dead   map[string]uint64 // By reason.
}

// died counts a dead letter.
func (c *counters) died(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead == nil {
		c.dead = make(map[string]uint64)
	}
	c.dead[reason]++
}

// deaths returns the dead letters by reason.
func (c *counters) deaths() map[string]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	dead := maps.Clone(c.dead)
	if dead == nil {
		dead = make(map[string]uint64)
	}
	return dead
}

func (c *counters) remember(d DeadLetter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.recent) >= keptLetters {
		c.recent = c.recent[1:]
	}
	c.recent = append(c.recent, d)
}

func (c *counters) letters() []DeadLetter {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]DeadLetter(nil), c.recent...)
}

func (s *stage) event(t EventType, m *Message, err error) {
	if s.onEvent != nil {
		s.onEvent(Event{
			Type: t, Operator: s.spec.Name, Label: m.Label, Source: m.Header[header.Source],
			ID: m.ID, Sequence: m.Sequence, Attempt: m.Attempt, Err: err,
		})
	}
}
