package pipeline

import (
	"log/slog"
	"slices"
)

// A Selector is an operator that may emit nothing for a message although it has processed it, such as one that makes one output
// of several messages. Of others that are a [Producer], `wavemill verify` expects an output or a dead letter for every message.
type Selector interface {
	Selects() bool
}

// A StageInfo is one stage of a spec with its streams found: what a program needs to follow messages from stream to stream.
type StageInfo struct {
	Name     string
	Operator string
	From     string // From is the stream that it reads; empty: none.
	To       string // To is the stream that it writes; empty: that of each message's type, or none.
	// Emits: it emits one message or more for every message that it processes.
	Emits bool
}

// Stages returns the stages of s in their order. An operator that cannot be built is an error.
func (s Spec) Stages(reg Registry) ([]StageInfo, error) {
	s = s.withDefaults()
	var all []StageInfo
	for _, o := range s.stages() {
		r, err := s.route(o, reg)
		if err != nil {
			return nil, err
		}
		op, err := reg[o.Operator](o.Config, Env{Pipeline: s.Name, Operator: o.Name, From: r.from, To: r.to, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			return nil, err
		}
		p, produces := op.(Producer)
		selector, selects := op.(Selector)
		all = append(all, StageInfo{
			Name: o.Name, Operator: o.Operator, From: r.from, To: r.to,
			Emits: produces && p.Output() != TypeModel && r.from != "" && (!selects || !selector.Selects()),
		})
	}
	return all, nil
}

// Routed returns s with the streams filled in that its operators read and write where the spec does not say, so that
// [Spec.StreamNames] has them all. An operator that cannot be built stays as it is.
func (s Spec) Routed(reg Registry) Spec {
	s = s.withDefaults()
	s.Operators = slices.Clone(s.Operators)
	for i, o := range s.Operators {
		if r, err := s.route(o, reg); err == nil {
			s.Operators[i].From, s.Operators[i].To = r.from, r.to
		}
	}
	return s
}

// StreamNames returns the streams of the pipeline, without their prefix on the server: the standard ones, and those that the spec
// names. The stream quarantine, which a stage creates with its first refused message, is the last one.
func (s Spec) StreamNames() []string {
	names := s.withDefaults().streams()
	if !slices.Contains(names, TypeQuarantine) {
		names = append(names, TypeQuarantine)
	}
	return names
}
