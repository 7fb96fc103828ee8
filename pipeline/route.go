package pipeline

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
)

// A route is the streams that a stage reads and writes.
type route struct {
	stage string
	from  string // Empty: the stage reads no stream.
	to    string // Empty: it is not known what the stage writes, if anything.
	makes string // The model that it makes, if any.
	uses  string // The model that it needs, if any.
}

// routes returns the routes of the spec's own stages, in their order, and of the stages that run elsewhere; and for each
// own stage the error that kept its route from being found, or nil. Streams that the spec does not name are asked of the
// operators.
func (s Spec) routes(reg Registry) (own, others []route, faults []error) {
	for _, o := range s.Operators {
		r, err := s.route(o, reg)
		own, faults = append(own, r), append(faults, err)
	}
	for _, o := range s.others {
		r, _ := s.route(o, reg) // It may be an operator of another program: the explicit names suffice.
		others = append(others, r)
	}
	return own, others, faults
}

// route finds the streams of one stage.
func (s Spec) route(o OperatorSpec, reg Registry) (route, error) {
	r := route{stage: o.Name, from: o.From, to: o.To}
	factory, ok := reg[o.Operator]
	if !ok {
		names := slices.Sorted(maps.Keys(reg))
		return r, fmt.Errorf("operator %s: there is no operator %q; there are: %s", o.Name, o.Operator, strings.Join(names, ", "))
	}
	op, err := factory(o.Config, Env{Pipeline: s.Name, Operator: o.Name, From: o.From, To: o.To, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return r, err
	}
	if c, ok := op.(Consumer); ok && r.from == "" {
		r.from = c.Input()
	}
	if m, ok := op.(ModelMaker); ok {
		r.makes = m.MakesModel()
	}
	if m, ok := op.(ModelUser); ok {
		r.uses = m.UsesModel()
	}
	p, produces := op.(Producer)
	if produces && r.to == "" && p.Output() != TypeModel {
		r.to = p.Output()
	}
	if produces && o.To != "" && p.Output() == TypeModel {
		return r, fmt.Errorf("operator %s: to is %q, but the operator only announces models; leave to out", o.Name, o.To)
	}
	for _, name := range []string{r.from, r.to} {
		if name != "" {
			if err := checkStreamName(name); err != nil {
				return r, fmt.Errorf("operator %s: %w", o.Name, err)
			}
		}
	}
	return r, nil
}

// sameStream is the fault of a stage that would receive its own output.
func sameStream(stream string) error {
	return fmt.Errorf("it reads and writes the stream %s, so it would receive its own output; name another stream in from or to", stream)
}

// routeFaults reports stages that read their own output, directly or through other stages, and own stages that read a
// stream of the user's naming that is not written.
func (s Spec) routeFaults(own, others []route) []error {
	var faults []error
	all := slices.Concat(own, others)
	for i, r := range own {
		validated := s.Operators[i].From != "" && s.Operators[i].From == s.Operators[i].To // Validate has reported it.
		if r.from != "" && r.from == r.to && !validated {
			faults = append(faults, fmt.Errorf("operator %s: %w", r.stage, sameStream(r.from)))
		}
	}
	if c := cycle(all); len(c) > 0 {
		var steps []string
		for _, r := range c {
			steps = append(steps, fmt.Sprintf("%s reads %s and writes %s", r.stage, r.from, r.to))
		}
		faults = append(faults, errors.New("the operators form a cycle, in which messages would go round for ever: "+strings.Join(steps, ", ")))
	}
	for _, r := range own {
		if !isMessageType(r.from) && !s.written(r.from, all) {
			faults = append(faults, fmt.Errorf("operator %s: no operator writes the stream %s that it reads; "+
				"set `to: %s` on the operator before it, or list %s under inputs if clients publish there", r.stage, r.from, r.from, r.from))
		}
	}
	return faults
}

// isMessageType reports whether name is empty or a message type, whose stream clients may write too.
func isMessageType(name string) bool {
	return name == "" || name == TypeQuarantine || slices.Contains(standardStreams(), name)
}

// written reports whether a stage or a client writes the stream.
func (s Spec) written(stream string, all []route) bool {
	return stream == TypeAudio || stream == TypeDLQ || slices.Contains(s.Inputs, stream) ||
		slices.ContainsFunc(all, func(r route) bool { return r.to == stream })
}

// cycle returns the stages of one cycle of more than one stage, in the direction of the messages, or nil.
func cycle(all []route) []route {
	done := make(map[string]bool) // Stages from which no cycle can be reached.
	var path []route
	var visit func(r route) []route
	visit = func(r route) []route {
		if i := slices.IndexFunc(path, func(p route) bool { return p.stage == r.stage }); i >= 0 {
			return path[i:]
		}
		if done[r.stage] {
			return nil
		}
		path = append(path, r)
		for _, next := range all {
			if r.to != "" && r.to == next.from && next.stage != r.stage {
				if c := visit(next); c != nil {
					return c
				}
			}
		}
		path = path[:len(path)-1]
		done[r.stage] = true
		return nil
	}
	for _, r := range all {
		if c := visit(r); c != nil {
			return c
		}
	}
	return nil
}

// upstream returns the streams whose messages lead to the given one, beginning with itself. Audio is always among them:
// the operators in between may run in other processes, and recordings are where a pipeline begins.
func upstream(stream string, all []route) []string {
	if stream == "" {
		return nil
	}
	streams := []string{stream}
	for i := 0; i < len(streams); i++ {
		for _, r := range all {
			if r.to == streams[i] && r.from != "" && !slices.Contains(streams, r.from) {
				streams = append(streams, r.from)
			}
		}
	}
	if !slices.Contains(streams, TypeAudio) {
		streams = append(streams, TypeAudio)
	}
	return streams
}
