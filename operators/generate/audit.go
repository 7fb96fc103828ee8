package generate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"wavemill/audio"
	"wavemill/models/eval"
	"wavemill/models/sampling"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// An auditor watches a share of the answers, in the background: the confidence of a classifier in their labels. While a new
// version is on trial, it generates the same clips with that one too, which nobody sees, and decides which version is used.
// After a change it compares confidences with those before.
type auditor struct {
	config  Config
	hooks   Hooks
	log     *slog.Logger
	samples chan sample // Capacity 8: what does not fit is not watched. Answers never wait.
	changed chan token  // Capacity 1: there is a candidate.

	use      func(*sampling.Sampler)                                                       // Makes a version the one that is used.
	withdraw func(ctx context.Context, bad *sampling.Sampler, reason string) (bool, error) // For all replicas; false where it is not current.
	tell     func(ctx context.Context, n Notice)

	mu         sync.Mutex
	classifier *eval.Classifier
	digest     string // Of the classifier.
	served     *sampling.Sampler
	confidence []float64         // Of answers of the served version, the last ones.
	candidate  *sampling.Sampler // On trial; nil: none.
	since      time.Time         // Of the trial.
	gains      []float64         // Confidence in the candidate's clip less that in the answer, of each watched request.
	before     *sampling.Sampler // The version before, until the served one has proved itself; nil: none.
	former     []float64         // Confidences then.
	rollbacks  uint64
}

// A sample is an answer that is watched.
type sample struct {
	sampler    *sampling.Sampler
	clip       sampling.Clip
	confidence *float64 // Of Hooks.Judge; nil: unknown.
}

// Limits of the comparisons.
const (
	mostConfidences = 100  // Of the served version that are remembered.
	leastWatched    = 5    // Fewer answers decide nothing.
	tolerance       = 0.02 // A difference of confidence that is no reason to go back.
	blocks          = 5    // How often a version is compared with the one before it, after the change.
)

// observe takes an answer to be watched, if it belongs to the share.
func (a *auditor) observe(s *sampling.Sampler, clip sampling.Clip, l Listed) {
	p := clip.Provenance
	if a.config.ShadowShare == 0 || p.Mix != nil || p.Like != nil || !belongs(l.ID, a.config.ShadowShare) {
		return
	}
	select {
	case a.samples <- sample{s, clip, l.Confidence}:
	default:
	}
}

// belongs reports whether a clip is in a share of all, by its id: the same clips in every replica.
func belongs(id string, share float64) bool {
	h := fnv.New64a()
	h.Write([]byte(id)) // Never fails.
	x := h.Sum64()
	x ^= x >> 32 // The upper bits of FNV differ little between ids that differ in their last characters.
	x *= 0xd6e8feb86659fd93
	x ^= x >> 32
	return float64(x)/math.Pow(2, 64) < share
}

// run watches until ctx is done.
func (a *auditor) run(ctx context.Context) {
	for {
		a.mu.Lock()
		var deadline <-chan time.Time
		if a.candidate != nil {
			deadline = time.After(time.Until(a.since.Add(a.config.ShadowFor)))
		}
		a.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-a.changed:
		case s := <-a.samples:
			a.watch(ctx, s)
		case <-deadline:
			a.decide(ctx, true)
		}
	}
}

// judge is the confidence in the label of a clip, and false where there is no classifier that knows it.
func (a *auditor) judge(ctx context.Context, clip sampling.Clip) (float64, bool) {
	decoded, err := clip.Decoded()
	if err != nil {
		return 0, false
	}
	label := clip.Provenance.Label
	if a.hooks.Judge != nil {
		return a.hooks.Judge(ctx, decoded, label)
	}
	a.mu.Lock()
	c := a.classifier
	a.mu.Unlock()
	if c == nil {
		return 0, false
	}
	at, ok := slices.BinarySearch(c.Labels(), label)
	if !ok {
		return 0, false
	}
	p, err := c.Predict(ctx, []audio.Clip{decoded})
	if err != nil {
		return 0, false
	}
	return p.Probs[0][at], true
}

// watch judges one answer, and the clip that the candidate makes of the same request.
func (a *auditor) watch(ctx context.Context, s sample) {
	confidence, judged := 0.0, s.confidence != nil
	if judged {
		confidence = *s.confidence
	} else {
		confidence, judged = a.judge(ctx, s.clip)
	}
	a.mu.Lock()
	served, candidate := a.served, a.candidate
	if judged && s.sampler == served {
		a.confidence = append(a.confidence, confidence)
		if n := len(a.confidence); n > mostConfidences {
			a.confidence = slices.Delete(a.confidence, 0, n-mostConfidences)
		}
	}
	a.mu.Unlock()
	if candidate != nil && s.sampler == served {
		a.shadow(ctx, candidate, s.clip.Provenance, confidence, judged)
	}
	a.decide(ctx, false)
}

// shadow answers a request with the candidate.
func (a *auditor) shadow(ctx context.Context, candidate *sampling.Sampler, p sampling.Provenance, confidence float64, judged bool) {
	p.Model = ""
	clip, err := guarded(a.log, func() (sampling.Clip, error) { return candidate.Generate(ctx, p) })
	gain := 0.0
	switch {
	case ctx.Err() != nil:
		return
	case errors.Is(err, sampling.ErrSilent):
		gain = -1 // Not valid.
	case err != nil:
		a.reject(ctx, candidate, fmt.Sprintf("it fails: %v", err))
		return
	case judged:
		if c, ok := a.judge(ctx, clip); ok {
			gain = c - confidence
		}
	}
	a.mu.Lock()
	if a.candidate == candidate {
		a.gains = append(a.gains, gain)
	}
	a.mu.Unlock()
}

// decide ends a trial, and goes back to the version before, where there is reason to.
func (a *auditor) decide(ctx context.Context, timeIsUp bool) {
	a.mu.Lock()
	candidate, gains := a.candidate, slices.Clone(a.gains)
	before, served, now, former := a.before, a.served, slices.Clone(a.confidence), a.former
	a.mu.Unlock()
	switch {
	case candidate != nil && (timeIsUp || len(gains) >= a.config.ShadowRequests):
		if high := upper(gains); len(gains) >= leastWatched && high < -tolerance {
			a.reject(ctx, candidate, fmt.Sprintf("in %d shadow answers the classifier is less sure of its clips: by %.2f on average, at least by %.2f", len(gains), -stat.Mean(gains, nil), -high))
			return
		}
		a.promote(ctx, candidate, len(gains))
	case before != nil && len(now) > 0 && len(now)%a.config.ShadowRequests == 0:
		a.prove(ctx, before, served, now, former)
	}
}

// upper is the upper end of the 95 % interval of the mean.
func upper(x []float64) float64 {
	if len(x) < 2 {
		return math.Inf(1)
	}
	mean, sd := stat.MeanStdDev(x, nil)
	n := float64(len(x))
	return mean + distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile(0.975)*sd/math.Sqrt(n)
}

// prove compares the last answers of the served version with those of the one before. It does so blocks times, each time with
// the 99 % interval of the difference (Welch), so that a good version is taken back once in twenty changes at most.
func (a *auditor) prove(ctx context.Context, before, served *sampling.Sampler, now, former []float64) {
	last := now[len(now)-a.config.ShadowRequests:]
	m, s := stat.MeanStdDev(last, nil)
	m0, s0 := stat.MeanStdDev(former, nil)
	n, n0 := float64(len(last)), float64(len(former))
	half := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: min(n, n0) - 1}.Quantile(0.995) * math.Sqrt(s*s/n+s0*s0/n0)
	if m+half < m0-tolerance {
		a.rollback(ctx, before, served, fmt.Sprintf("the classifier is less sure of its answers: %.2f on average over %d, %.2f before the change", m, len(last), m0))
		return
	}
	a.mu.Lock()
	if len(now) >= min(blocks*a.config.ShadowRequests, mostConfidences) {
		a.before, a.former = nil, nil
	}
	a.mu.Unlock()
}

// promote uses the candidate from now on.
func (a *auditor) promote(ctx context.Context, candidate *sampling.Sampler, compared int) {
	a.mu.Lock()
	if a.candidate != candidate {
		a.mu.Unlock()
		return
	}
	a.before, a.former = a.served, a.confidence
	if len(a.former) < leastWatched || !a.config.Rollback {
		a.before, a.former = nil, nil
	}
	a.served, a.candidate, a.gains, a.confidence = candidate, nil, nil, nil
	a.mu.Unlock()
	a.log.Info("the new version is used: its shadow answers are no worse", "digest", candidate.Digest[:12], "compared", compared)
	a.use(candidate)
	a.tell(ctx, Notice{Kind: NoticeUsed, Digest: candidate.Digest, Compared: compared})
}

// reject ends a trial: the candidate is not used, by any replica.
func (a *auditor) reject(ctx context.Context, candidate *sampling.Sampler, reason string) {
	a.mu.Lock()
	if a.candidate != candidate {
		a.mu.Unlock()
		return
	}
	compared := len(a.gains)
	a.candidate, a.gains = nil, nil
	a.rollbacks++
	a.mu.Unlock()
	a.takeBack(ctx, candidate, reason, Notice{Kind: NoticeWithdrawn, Compared: compared})
}

// rollback uses the version before again.
func (a *auditor) rollback(ctx context.Context, before, served *sampling.Sampler, reason string) {
	a.mu.Lock()
	if a.served != served {
		a.mu.Unlock()
		return
	}
	a.served, a.before, a.confidence, a.former = before, nil, a.former, nil
	a.rollbacks++
	a.mu.Unlock()
	a.use(before)
	a.takeBack(ctx, served, reason, Notice{Kind: NoticeRolledBack})
}

// takeBack withdraws a version for all replicas. Where that fails, it is not used by this one.
func (a *auditor) takeBack(ctx context.Context, bad *sampling.Sampler, reason string, n Notice) {
	n.Digest, n.Reason = bad.Digest, reason
	withdrawn, err := a.withdraw(ctx, bad, reason)
	switch {
	case err != nil:
		a.log.Error("a version is not used by this replica; it could not be withdrawn for the others", "digest", bad.Digest[:12], "reason", reason, "error", err)
	case withdrawn:
		a.log.Warn("a version of the model is withdrawn, and the one before is used", "digest", bad.Digest[:12], "reason", reason)
	}
	a.tell(ctx, n)
}

// replaced tells the auditor which version is used, without a trial.
func (a *auditor) replaced(s *sampling.Sampler) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.served != s {
		a.served, a.confidence = s, nil
	}
	a.candidate, a.gains, a.before, a.former = nil, nil, nil, nil
}

// try begins the trial of a version.
func (a *auditor) try(s *sampling.Sampler) {
	a.mu.Lock()
	a.candidate, a.gains, a.since = s, nil, time.Now()
	a.before, a.former = nil, nil // The version in use has proved itself so far.
	a.mu.Unlock()
	select {
	case a.changed <- token{}:
	default:
	}
}

// Kinds of notices.
const (
	NoticeUsed       = "used"        // NoticeUsed: a replica uses a new version, after its shadow answers.
	NoticeWithdrawn  = "withdrawn"   // NoticeWithdrawn: the shadow answers of a new version were worse; it is not used.
	NoticeRolledBack = "rolled_back" // NoticeRolledBack: the answers of a new version were worse; the one before is used again.
)

// Notice is what is published as JSON on <pipeline>.model.progress, beside the trainer's notices.
type Notice struct {
	Name     string    `json:"name"` // Name is the model's.
	Kind     string    `json:"kind"`
	Digest   string    `json:"digest"` // Digest is that of the version that the notice is about.
	Reason   string    `json:"reason,omitempty"`
	Compared int       `json:"compared,omitempty"` // Compared counts the shadow answers.
	Time     time.Time `json:"time"`
}

// notify publishes a notice. It may be lost: nothing depends on it.
func (o *operator) notify(ctx context.Context, n Notice) {
	n.Name, n.Time = o.config.Model, time.Now().UTC().Truncate(time.Millisecond)
	body, err := json.Marshal(n)
	if err == nil {
		m := &pipeline.Message{Type: pipeline.TypeModel, Label: "progress", Header: map[string]string{header.ContentType: "application/json"}, Body: body}
		_, err = o.env.Bus.Publish(context.WithoutCancel(ctx), m) // An announcement: it does not wait.
	}
	if err != nil {
		o.log.Warn("a notice could not be published", "kind", n.Kind, "error", err)
	}
}
