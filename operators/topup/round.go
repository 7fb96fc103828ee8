package topup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/augment"
	"wavemill/models/eval"
	"wavemill/models/sampling"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
	"wavemill/pipeline/modelstore"
)

// An Outcome is the result of a round. The bucket of the model store keeps that of the last one.
type Outcome struct {
	Model      string         `json:"model"` // digest
	Recordings int            `json:"recordings"`
	Data       string         `json:"data"` // digest of the recordings
	Config     string         `json:"config"`
	State      string         `json:"state"` // StateFull or StateStopped
	Reason     string         `json:"reason"`
	Made       int            `json:"made"` // clips that passed the filter
	Verdict    string         `json:"verdict,omitempty"`
	Gain       *float64       `json:"gain,omitempty"`
	Interval   *[2]float64    `json:"interval,omitempty"`
	Clips      map[string]int `json:"clips"` // published clips of each label, of all rounds
	Time       time.Time      `json:"time"`
}

// pause is how long the operator waits before it looks for a model again.
const pause = 2 * time.Second

// look does a round if one is due, and returns after what time to look again.
func (o *operator) look(ctx context.Context) (time.Duration, error) {
	o.mu.Lock()
	idle, recordings := time.Until(o.added.Add(o.config.Idle)), o.clips.all()
	o.mu.Unlock()
	if len(recordings) == 0 {
		o.set(ctx, StateWaiting, "there are no recordings")
		return o.config.Idle, nil
	}
	if idle > 0 {
		return idle, nil
	}
	entry, err := o.env.Bus.Models().Get(ctx, o.config.Model)
	if errors.Is(err, modelstore.ErrNotFound) {
		o.set(ctx, StateWaiting, "there is no model "+o.config.Model+" yet")
		return pause, nil
	}
	if err != nil {
		return 0, err
	}
	last, err := o.last(ctx)
	if err != nil {
		return 0, err
	}
	data := digest(recordings)
	if last.Config == o.env.Hash && last.Model == entry.Digest &&
		(last.Data == data || abs(len(recordings)-last.Recordings) < o.config.again(last.Recordings)) {
		o.show(ctx, last)
		return pause, nil
	}
	out, err := o.round(ctx, entry, recordings)
	if err != nil {
		return 0, fmt.Errorf("top up with model %s version %d: %w", entry.Name, entry.Version, err)
	}
	out.Data, out.Config = data, o.env.Hash
	if err := o.keep(ctx, out); err != nil {
		return 0, err
	}
	o.show(ctx, out)
	if o.hooks.OnRound != nil {
		o.hooks.OnRound(out)
	}
	return pause, nil
}

func abs(n int) int { return max(n, -n) }

// digest identifies recordings in their order.
func digest(recordings []dataset.Recording) string {
	h := sha256.New()
	for _, r := range recordings {
		fmt.Fprintf(h, "%s %q\n", r.Digest, r.Label)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// show makes an outcome the state.
func (o *operator) show(ctx context.Context, out Outcome) {
	o.mu.Lock()
	o.state.Model, o.state.Clips, o.state.Gain, o.state.Interval, o.state.Verdict = out.Model, out.Clips, out.Gain, out.Interval, out.Verdict
	o.mu.Unlock()
	o.set(ctx, out.State, out.Reason)
}

// round generates, proves and publishes.
func (o *operator) round(ctx context.Context, entry modelstore.Entry, recordings []dataset.Recording) (Outcome, error) {
	o.set(ctx, StateWorking, fmt.Sprintf("model version %d, %d recordings", entry.Version, len(recordings)))
	out := Outcome{Model: entry.Digest, Recordings: len(recordings), State: StateStopped, Time: time.Now().UTC().Truncate(time.Millisecond)}
	stored, err := o.stored(ctx)
	if err != nil {
		return out, err
	}
	out.Clips = stored.count
	have := map[string]int{}
	for _, r := range recordings {
		have[r.Label]++
	}
	missing := 0
	for label, n := range have {
		missing += max(0, o.config.To-n-stored.count[label])
	}
	switch {
	case missing == 0:
		out.State, out.Reason = StateFull, fmt.Sprintf("every label has %d clips", o.config.To)
		return out, nil
	case missing > o.config.MaxClips:
		out.Reason = fmt.Sprintf("%d clips are missing, and a round makes at most %d (max_clips)", missing, o.config.MaxClips)
		return out, nil
	case len(have) < 2:
		out.Reason = "the filter needs recordings of two labels"
		return out, nil
	}
	content, err := o.env.Bus.Models().Load(ctx, entry)
	if err != nil {
		return out, err
	}
	// What the model and the recordings themselves make impossible would be so at every attempt: it is the outcome.
	checkpoint, err := models.Decode(content)
	if err != nil {
		out.Reason = "the model cannot be read: " + err.Error()
		return out, nil
	}
	sampler, err := sampling.OpenWith(checkpoint, architectures.Open)
	if err != nil {
		out.Reason = "the model cannot generate: " + err.Error()
		return out, nil
	}
	made := map[string][]byte{}
	job := o.hooks.NewJob(augment.Job{
		To: o.config.To, Seed: o.config.Seed, Confidence: o.config.Confidence, Proof: o.config.Proof, Effort: o.config.effort(),
		Progress: o.start(ctx),
		Store:    func(name string, data []byte) error { made[name] = data; return nil },
		Note:     func(message string) { o.log.Info(message) },
	})
	split := augment.HoldOut(checkpoint, recordings, dataset.Holdout{})
	report, err := job.Run(ctx, sampler, recordings, split)
	switch {
	case errors.Is(err, augment.ErrTooFewUnseen):
		out.Reason = err.Error() + "; with proof: false, clips that pass the filter are published"
		return out, nil
	case errors.Is(err, eval.ErrTrialBudget):
		out.Reason = err.Error() + " (proof_budget, proof_steps, proof_seeds, proof_augmentation)"
		return out, nil
	case err != nil && ctx.Err() != nil:
		return out, err
	case err != nil:
		out.Reason = err.Error()
		return out, nil
	}
	clips, err := clipsOf(made)
	if err != nil {
		return out, err
	}
	out.Made = len(clips)
	if len(clips) == 0 {
		out.Reason = "no clip can be added: the model does not know the labels that lack clips, or too few pass the filter"
		return out, nil
	}
	if p := report.Proof; p != nil {
		i := [2]float64(p.Intervals["gain_points"])
		out.Verdict, out.Gain, out.Interval = p.Verdict, &p.Points, &i
		o.log.Info("the proof has ended", "verdict", p.Verdict, "proof", p.String())
		if p.Verdict != eval.UseThem {
			out.Reason = p.Verdict + ": " + p.Change()
			return out, nil
		}
	}
	room := map[string]int{}
	for label, n := range have {
		room[label] = o.config.To - n - stored.count[label]
	}
	if err := o.publish(ctx, clips, room, stored); err != nil {
		return out, err
	}
	out.State, out.Reason = StateFull, fmt.Sprintf("every label has %d clips", o.config.To)
	left := 0
	for _, n := range room {
		left += max(0, n)
	}
	if left > 0 {
		out.Reason = fmt.Sprintf("%d clips are missing: the model does not know their labels, or too few pass the filter", left)
	}
	return out, nil
}

// A clip is a generated one.
type clip struct {
	sampling.Provenance
	confidence string
	body       []byte
}

// clipsOf are the clips that a job has stored, in the order of its manifest.
func clipsOf(made map[string][]byte) ([]clip, error) {
	rows, err := csv.NewReader(bytes.NewReader(made[augment.ManifestName])).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", augment.ManifestName, err)
	}
	var out []clip
	for _, row := range rows {
		if len(row) < 5 || row[2] != "generated" {
			continue
		}
		body := made[row[0]]
		p, _, err := sampling.ReadProvenance(body)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", row[0], err)
		}
		out = append(out, clip{Provenance: p, confidence: row[4], body: body})
	}
	return out, nil
}

// id is a function of label, seed and model.
func (o *operator) id(label string, seed uint64, model string) string {
	return fmt.Sprintf("%s/%s@%s/%s/%d", o.env.Pipeline, o.env.Operator, model, pipeline.Slug(label), seed)
}

// publish stores clips that the stream does not have, until there is no room for more of their label.
func (o *operator) publish(ctx context.Context, clips []clip, room map[string]int, have stored) error {
	for _, c := range clips {
		id := o.id(c.Label, c.Seed, c.Model)
		if have.ids[id] || room[c.Label] <= 0 {
			continue
		}
		if err := o.lease.Check(ctx); err != nil {
			return err
		}
		m := &pipeline.Message{ID: id, Type: pipeline.TypeClip, Label: c.Label, Body: c.body, Header: map[string]string{
			header.ContentType: "audio/wav", header.Model: c.Model, header.Seed: strconv.FormatUint(c.Seed, 10),
			header.Confidence: c.confidence, header.Source: "topup " + c.Label + " " + strconv.FormatUint(c.Seed, 10), header.Topup: o.env.Operator,
		}}
		ack, err := o.env.Bus.PublishTo(ctx, o.to(), m)
		if err != nil {
			return err
		}
		have.ids[id] = true
		room[c.Label]--
		have.count[c.Label]++
		o.mu.Lock()
		o.state.Published++
		if ack.Duplicate {
			o.state.Duplicates++
		}
		o.mu.Unlock()
	}
	return nil
}

// to is the stream that the operator writes.
func (o *operator) to() string {
	if o.env.To != "" {
		return o.env.To
	}
	return pipeline.TypeClip
}

// stored are the clips of this operator that the stream has.
type stored struct {
	ids   map[string]bool
	count map[string]int
}

// stored reads the stream that the operator writes.
func (o *operator) stored(ctx context.Context) (stored, error) {
	s := stored{map[string]bool{}, map[string]int{}}
	for m, err := range o.env.Bus.Messages(ctx, pipeline.Subscription{Stream: o.to(), From: 1, Last: true}) {
		switch {
		case m == nil && ctx.Err() != nil:
			return s, ctx.Err()
		case m == nil && errors.Is(err, jetstream.ErrStreamNotFound):
			return s, nil
		case m == nil:
			return s, err
		case m.Header[header.Topup] == o.env.Operator && !s.ids[m.ID]:
			s.ids[m.ID] = true
			s.count[m.Label]++
		}
	}
	return s, ctx.Err()
}

// key of the outcome of the last round in the bucket of the model store.
func (o *operator) key() string { return o.env.Operator + ".topup" }

// last returns the outcome of the last round, or the zero Outcome.
func (o *operator) last(ctx context.Context) (out Outcome, err error) {
	bucket, err := o.env.Bus.Models().Entries(ctx)
	if err != nil {
		return out, err
	}
	entry, err := bucket.Get(ctx, o.key())
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return out, nil
	case err != nil:
		return out, fmt.Errorf("key %s in %s: %w", o.key(), bucket.Bucket(), err)
	}
	if err := json.Unmarshal(entry.Value(), &out); err != nil {
		o.log.Warn("the outcome of the last round cannot be read; there is another round", "error", err)
		return Outcome{}, nil
	}
	return out, nil
}

// keep stores the outcome of a round.
func (o *operator) keep(ctx context.Context, out Outcome) error {
	if err := o.lease.Check(ctx); err != nil {
		return err
	}
	bucket, err := o.env.Bus.Models().Entries(ctx)
	if err != nil {
		return err
	}
	value, err := json.Marshal(out)
	if err == nil {
		_, err = bucket.Put(ctx, o.key(), value)
	}
	if err != nil {
		return fmt.Errorf("key %s in %s: %w", o.key(), bucket.Bucket(), err)
	}
	return nil
}

// tell publishes the state on <pipeline>.model.progress.
func (o *operator) tell(ctx context.Context) {
	body, err := json.Marshal(struct {
		Name string `json:"name"`
		Kind string `json:"kind"`
		Details
		Time time.Time `json:"time"`
	}{o.config.Model, "topup", o.Details().(Details), time.Now().UTC().Truncate(time.Millisecond)})
	if err == nil {
		m := &pipeline.Message{Type: pipeline.TypeModel, Label: "progress", Header: map[string]string{header.ContentType: "application/json"}, Body: body}
		_, err = o.env.Bus.Publish(context.WithoutCancel(ctx), m) // An announcement: it does not wait.
	}
	if err != nil {
		o.log.Warn("a notice could not be published", "error", err)
	}
}
