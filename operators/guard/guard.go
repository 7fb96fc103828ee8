// Package guard is the operator that refuses clips which would harm a training or a data set.
//
// In: a stream of audio, clips or spectrograms (from). Out: what passes, unchanged, on the stream that to names; what is
// refused on the stream quarantine, under the same label. Both carry the scores in headers, and refused messages the reasons
// and where they came from; `wavemill quarantine` lists them and puts them back. Package models/guard has the rules.
//
// # Delivery
//
// The verdict on a message is a function of the stream, the configuration and, where a model is used, its version, and not of
// the order in which messages are delivered. The stream is cut into generations; each is judged by the clips of a fixed
// window of the stream and by one version of the model, which are recorded in the bucket of the model store before the first
// message of the generation is judged. So all replicas, and every attempt at a message, come to the same verdict. What a
// process remembers of the stream, it reads again after a restart.
//
// Two things can change a verdict between attempts: messages of the window that the stream has removed meanwhile (max_age),
// and a version of the model that the model store has removed meanwhile, which keeps `keep` versions of train, five by
// default. The message is then judged without the model.
package guard

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"wavemill/models/guard"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

type operator struct {
	config  Config
	limits  guard.Limits
	env     pipeline.Env
	log     *slog.Logger
	analyst guard.Analyst

	// Of the goroutine of Process.
	history  *history
	journal  journal
	ruleSets []*ruleSet // the last two

	mu    sync.Mutex
	state Details
}

var (
	_ pipeline.Consumer = (*operator)(nil)
	_ pipeline.Producer = (*operator)(nil)
	_ pipeline.Runner   = (*operator)(nil)
	_ pipeline.Detailer = (*operator)(nil)
)

func newOperator(c Config, env pipeline.Env) (pipeline.Operator, error) {
	if err := c.check(env); err != nil {
		return nil, err
	}
	return &operator{config: c, limits: c.limits(), env: env, log: env.Log, history: newHistory(c.Window)}, nil
}

// Input implements pipeline.Consumer.
func (o *operator) Input() string { return pipeline.TypeSpectrogram }

// Output implements pipeline.Producer: what passes has the type that it had. Every message has one output, on the stream that to
// names or in quarantine.
func (o *operator) Output() string {
	if o.env.From == pipeline.TypeAudio || o.env.From == pipeline.TypeClip {
		return o.env.From
	}
	return pipeline.TypeSpectrogram
}

// Run implements pipeline.Runner: the operator keeps state of its own and has one worker.
func (o *operator) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Details is what the operator tells about itself in its status.
type Details struct {
	Passed   uint64            `json:"passed"`
	Refused  uint64            `json:"refused"`
	Rules    map[string]uint64 `json:"rules,omitempty"`    // Rules counts refused messages by rule; one may break several.
	Clips    int               `json:"clips"`              // Clips that messages are compared with.
	Labels   int               `json:"labels"`             // Labels that are told apart; 0: too few clips, or their labels cannot be heard.
	Accuracy float64           `json:"accuracy,omitempty"` // Accuracy is the share of these clips whose label is heard.
	Model    string            `json:"model,omitempty"`    // Model is the digest of the model in use.
}

// Details implements pipeline.Detailer.
func (o *operator) Details() any {
	o.mu.Lock()
	defer o.mu.Unlock()
	d := o.state
	d.Rules = maps.Clone(d.Rules)
	return d
}

// Process judges one message.
func (o *operator) Process(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
	if m.Header[header.Guard] == header.Accepted && o.trusted() {
		return emit(ctx, passed(m))
	}
	r, err := o.read(ctx, m)
	if err != nil {
		return err
	}
	o.history.follows(r.Example)
	g, err := o.generationOf(ctx, m.Sequence)
	if err != nil {
		return err
	}
	rules, err := o.ruleSet(ctx, g)
	if err != nil {
		return err
	}
	if err := o.ensure(ctx, o.history.before(m.Sequence), m.Sequence); err != nil {
		return err
	}
	v := rules.detector.Of(r.Example)
	o.history.copies.Judge(&v, r.Example, o.limits)
	if rules.model != nil {
		if s, ok := r.sample(rules.model); ok {
			if err := rules.model.Judge(ctx, &v, s, o.limits); err != nil {
				return err
			}
		}
	}
	out, err := o.decided(m, v, rules)
	if err != nil {
		return err
	}
	if err := emit(ctx, out); err != nil {
		return err
	}
	o.count(v, rules)
	return nil
}

// trusted reports whether only operators, and people with the right to accept, write the stream: a client could set the
// header that says that a person has accepted the message.
func (o *operator) trusted() bool {
	if o.env.From == pipeline.TypeAudio {
		return false
	}
	return !slices.Contains(o.env.Bus.Spec().Inputs, o.env.From)
}

// passed is a message as it goes on.
func passed(m *pipeline.Message) *pipeline.Message {
	return &pipeline.Message{Type: m.Type, Label: m.Label, Header: m.Header, Body: m.Body}
}

// basis is the header that says by what a message was judged.
type basis struct {
	From     uint64  `json:"from"` // of the window
	UpTo     uint64  `json:"up_to"`
	Clips    int     `json:"clips"`
	Labels   int     `json:"labels"`
	Accuracy float64 `json:"accuracy,omitempty"`
	Model    string  `json:"model,omitempty"`
	Version  uint64  `json:"version,omitempty"`
	Digest   string  `json:"digest,omitempty"`
}

// decided is the message with the verdict in its headers.
func (o *operator) decided(m *pipeline.Message, v guard.Verdict, rules *ruleSet) (*pipeline.Message, error) {
	out := passed(m)
	for _, name := range []string{header.GuardRules, header.GuardReason, header.GuardLabel} {
		delete(out.Header, name)
	}
	scores, err := json.Marshal(rounded(v.Scores))
	if err != nil {
		return nil, fmt.Errorf("scores: %w", err)
	}
	on, err := json.Marshal(rules.basis)
	if err != nil {
		return nil, fmt.Errorf("basis: %w", err)
	}
	out.SetHeader(header.Guard, header.Passed)
	out.SetHeader(header.GuardScores, string(scores))
	out.SetHeader(header.GuardBasis, string(on))
	if !v.Refused() {
		return out, nil
	}
	out.Type = pipeline.TypeQuarantine
	for name, value := range map[string]string{
		header.Guard: header.Refused, header.GuardRules: v.Names(), header.GuardReason: strings.Join(strings.Fields(v.String()), " "),
		header.QuarantineOperator: o.env.Operator, header.QuarantineType: m.Type, header.QuarantineTo: o.env.To,
		header.QuarantineStream: m.Stream, header.QuarantineSequence: strconv.FormatUint(m.Sequence, 10), header.QuarantineMessageID: m.ID,
	} {
		out.SetHeader(name, value)
	}
	return out, nil
}

// rounded has four decimals: further ones may differ between machines, and say nothing.
func rounded(s guard.Scores) guard.Scores {
	round := func(v float64) float64 { return math.Round(v*1e4) / 1e4 }
	s.Level, s.Full = round(s.Level), round(s.Full)
	for _, p := range []**float64{&s.Own, &s.Other, &s.Distance, &s.Reconstruction, &s.Preference, &s.Realness} {
		if *p != nil {
			v := round(**p)
			*p = &v
		}
	}
	return s
}

// count counts a verdict.
func (o *operator) count(v guard.Verdict, rules *ruleSet) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.state.Clips, o.state.Labels, o.state.Accuracy, o.state.Model = rules.basis.Clips, rules.basis.Labels, rules.basis.Accuracy, rules.basis.Digest
	if !v.Refused() {
		o.state.Passed++
		return
	}
	o.state.Refused++
	if o.state.Rules == nil {
		o.state.Rules = map[string]uint64{}
	}
	for name := range strings.SplitSeq(v.Names(), ",") {
		o.state.Rules[name]++
	}
}
