// Package bus shows a running pipeline in the studio: its operators with what waits for them, dead letters, quarantine, and the
// versions of served models; and it does what a person decides about them, as the commands dlq, quarantine and models do.
package bus

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/operators/studio/web"
	"wavemill/pipeline"
	"wavemill/pipeline/deadletter"
	"wavemill/pipeline/modelstore"
	"wavemill/pipeline/quarantine"
)

// A View is a pipeline as the page sees it. It is safe for concurrent use.
type View struct {
	bus     *pipeline.Bus
	running *pipeline.Pipeline // nil: other processes run it
	log     *slog.Logger
}

// New returns the view of a pipeline. running is the pipeline where this process runs it, else nil.
func New(b *pipeline.Bus, running *pipeline.Pipeline, log *slog.Logger) *View {
	return &View{b, running, log}
}

// Routes are the addresses of the view.
func (v *View) Routes() []web.Route {
	return []web.Route{
		{Method: "GET", Path: "/api/bus", Do: v.show},
		{Method: "GET", Path: "/api/bus/events", Do: v.events},
		{Method: "GET", Path: "/api/bus/letters", Do: v.letters},
		{Method: "GET", Path: "/api/bus/letters/{n}/sound", Do: v.letterSound},
		{Method: "POST", Path: "/api/bus/letters/{n}/replay", Do: v.replay},
		{Method: "DELETE", Path: "/api/bus/letters/{n}", Do: v.purge},
		{Method: "GET", Path: "/api/bus/quarantine", Do: v.quarantined},
		{Method: "GET", Path: "/api/bus/quarantine/{n}/sound", Do: v.quarantineSound},
		{Method: "POST", Path: "/api/bus/quarantine/{n}/accept", Do: v.accept},
		{Method: "DELETE", Path: "/api/bus/quarantine/{n}", Do: v.drop},
		{Method: "GET", Path: "/api/bus/versions", Do: v.versions},
		{Method: "POST", Path: "/api/bus/versions/{name}", Do: v.changeVersion},
	}
}

// stageView is an operator as the page sees it. What the server tells is there always; what only the process of the operator
// knows is there where this is it.
type stageView struct {
	Name        string `json:"name"`
	From        string `json:"from"`
	To          string `json:"to"`
	Done        uint64 `json:"done"`    // messages of its stream that are settled
	Waiting     uint64 `json:"waiting"` // lag
	Unacked     int    `json:"unacked"`
	Redelivered int    `json:"redelivered"` // messages that are tried again

	Known  bool   `json:"known"` // the rest is known
	Ready  bool   `json:"ready"`
	Reason string `json:"reason"`
	Retry  uint64 `json:"retried"`
	Dead   uint64 `json:"dead"` // letters that this process has written
}

// state is the pipeline at one moment.
type state struct {
	Pipeline   string      `json:"pipeline"`
	Connected  bool        `json:"connected"`
	Time       time.Time   `json:"time"`
	Stages     []stageView `json:"stages"`
	Letters    uint64      `json:"letters"`
	Quarantine uint64      `json:"quarantine"`
	// Changed is a text that changes with the letters, the quarantine and the versions.
	Changed string `json:"changed"`
}

// stateTimeout is how long the server may take to tell its state.
const stateTimeout = 5 * time.Second

// look asks the server for the state.
func (v *View) look(ctx context.Context) (state, error) {
	ctx, cancel := context.WithTimeout(ctx, stateTimeout)
	defer cancel()
	s := state{Pipeline: v.bus.Spec().Name, Connected: v.bus.Conn().Status() == nats.CONNECTED, Time: time.Now().UTC(), Stages: []stageView{}}
	if !s.Connected {
		return s, nil
	}
	stages := map[string]*stageView{}
	if err := v.consumers(ctx, &s, stages); err != nil {
		return s, err
	}
	v.own(stages)
	for _, stage := range stages {
		s.Stages = append(s.Stages, *stage)
	}
	slices.SortFunc(s.Stages, func(a, b stageView) int {
		return cmp.Or(cmp.Compare(rank(a.From), rank(b.From)), strings.Compare(a.Name, b.Name))
	})
	return s, nil
}

// rank orders stages as the data flow: from recordings to spectrograms, then what a user has named, then what reads nothing.
func rank(from string) int {
	switch from {
	case pipeline.TypeAudio:
		return 0
	case pipeline.TypeSpectrogram:
		return 1
	case "":
		return 3
	}
	return 2
}

// consumers reads the pipeline's streams and the consumers of its stages.
func (v *View) consumers(ctx context.Context, s *state, stages map[string]*stageView) error {
	spec := v.bus.Spec()
	js := v.bus.DeadLetters().JetStream
	prefix, consumer := spec.StreamName(""), spec.ConsumerName("")
	list := js.ListStreams(ctx, jetstream.WithStreamListSubject(spec.Name+".>"))
	var changed strings.Builder
	for info := range list.Info() {
		name := info.Config.Name
		kind := strings.ToLower(strings.TrimPrefix(name, prefix))
		switch {
		case !strings.HasPrefix(name, prefix):
			continue
		case name == spec.StreamName(pipeline.TypeDLQ):
			s.Letters = info.State.Msgs
		case name == spec.StreamName(pipeline.TypeQuarantine):
			s.Quarantine = info.State.Msgs
		}
		if kind == pipeline.TypeDLQ || kind == pipeline.TypeQuarantine {
			changed.WriteString(kind + info.State.LastTime.String() + " " + time.Duration(info.State.Msgs).String() + ";")
		}
		stream, err := js.Stream(ctx, name)
		if err != nil {
			return err
		}
		for c := range stream.ListConsumers(ctx).Info() {
			stage, ok := strings.CutPrefix(c.Name, consumer)
			if !ok {
				continue
			}
			stages[stage] = &stageView{
				Name: stage, From: kind, Done: c.AckFloor.Consumer, Waiting: c.NumPending, Unacked: c.NumAckPending, Redelivered: c.NumRedelivered,
			}
		}
	}
	s.Changed = changed.String()
	return list.Err()
}

// own adds what only the process of the operators knows.
func (v *View) own(stages map[string]*stageView) {
	if v.running == nil {
		return
	}
	for _, status := range v.running.Snapshot() {
		stage := stages[status.Operator]
		if stage == nil {
			stage = &stageView{Name: status.Operator, From: status.From}
			stages[status.Operator] = stage
		}
		stage.To, stage.Known, stage.Ready, stage.Reason, stage.Retry = status.To, true, status.Ready, status.Reason, status.Retried
		stage.Dead = status.Dead
	}
}

func (v *View) show(w http.ResponseWriter, r *http.Request) error {
	s, err := v.look(r.Context())
	if err != nil {
		return away(err)
	}
	return web.JSON(w, s)
}

// away is an error of the bus for a person.
func away(err error) error {
	for _, known := range []error{
		deadletter.ErrNotFound, quarantine.ErrNotFound, quarantine.ErrIncomplete, modelstore.ErrNotFound, modelstore.ErrNoVersion, modelstore.ErrPinned,
		modelstore.ErrInUse, modelstore.ErrConflict,
	} {
		if errors.Is(err, known) {
			return web.Errorf(http.StatusConflict, "%v", known)
		}
	}
	if errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrNoResponders) {
		return web.Errorf(http.StatusServiceUnavailable, "the NATS server does not answer")
	}
	return err
}

// eventsEvery is how often the page is told of the pipeline.
const eventsEvery = time.Second

// events tells a page the state of the pipeline.
func (v *View) events(w http.ResponseWriter, r *http.Request) error {
	stream, err := web.Stream(w)
	if err != nil {
		return err
	}
	ticks := time.NewTicker(eventsEvery)
	defer ticks.Stop()
	for {
		s, err := v.look(r.Context())
		if err != nil { // The page is told that there is no connection, and asked again.
			v.log.Debug("the pipeline cannot be looked at", "error", err)
			s.Connected = false
		}
		if err := stream.Send("bus", s); err != nil {
			return nil // The page has gone.
		}
		select {
		case <-r.Context().Done():
			return nil
		case <-ticks.C:
		}
	}
}
