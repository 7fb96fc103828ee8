package generate

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"wavemill/models"
	"wavemill/models/sampling"
	"wavemill/pipeline/header"
)

// mostOpen is how many requests a replica works on or holds in its memory. More of them wait in the connection.
const mostOpen = 64

// A job is a valid request that waits for its answer.
type job struct {
	ctx    context.Context
	cancel context.CancelFunc
	task   task
	began  time.Time
	p      sampling.Provenance // Of a request for one clip.
}

// take answers an invalid request at once, and hands a valid one on. While mostOpen are open it blocks, so that requests are
// served in the order of their arrival.
func (o *operator) take(ctx context.Context, r micro.Request) {
	began := time.Now()
	if !o.begin() {
		o.refuse(r, errStopping, began)
		return
	}
	t, err := o.check(r)
	if err != nil {
		o.refuse(r, err, began)
		o.running.Done()
		return
	}
	o.open <- token{}
	j := job{task: t, began: began}
	j.ctx, j.cancel = context.WithTimeout(ctx, o.config.Timeout)
	if t.single() {
		ps, err := t.provenances(j.ctx) // Nothing is encoded for a single clip.
		if err == nil {
			j.p = ps[0]
			o.queue <- j
			return
		}
		o.answer(j, nil, err)
		return
	}
	go func() {
		answer, err := guarded(o.log, func() (*nats.Msg, error) { return o.fulfil(j.ctx, t) })
		o.answer(j, answer, err)
	}()
}

// single reports whether the answer is one clip for which the network runs once, and nothing else.
func (t task) single() bool {
	given := t.Like != nil || t.Mix != nil && t.Mix.Like != nil
	return t.N == 1 && t.Interpolate == 0 && !given
}

// batches runs the network for the requests of one clip, until the queue is closed. Those that wait when a processor is free for it
// share a run: a clip depends on its own provenance alone, so that it is the same. Every run of the network and every
// reconstruction of phases holds a slot while it works, and they get their slots in turn, so that no processor waits while there is
// work. Waiting for the server takes no slot.
func (o *operator) batches() {
	for first := range o.queue {
		o.slots <- token{}
		jobs := []job{first}
		for more := true; more && len(jobs) < sampling.BatchSize; {
			select {
			case j, ok := <-o.queue:
				if more = ok; ok {
					jobs = append(jobs, j)
				}
			default:
				more = false
			}
		}
		go o.run(jobs)
	}
}

// run answers requests of one clip that arrived together. Those for another model than the first one's follow in a run of theirs.
// Its caller has taken a slot, which it frees.
func (o *operator) run(jobs []job) {
	s := jobs[0].task.sampler
	var same, others []job
	for _, j := range jobs {
		if j.task.sampler == s {
			same = append(same, j)
		} else {
			others = append(others, j)
		}
	}
	o.runSame(same)
	if len(others) > 0 {
		o.slots <- token{}
		o.run(others)
	}
}

// runSame is run for requests to one model. Where the run fails, each request gets a run of its own: one that cannot be fulfilled
// takes no other one with it.
func (o *operator) runSame(jobs []job) {
	ps := make([]sampling.Provenance, len(jobs))
	for i, j := range jobs {
		ps[i] = j.p
	}
	batch, err := guarded(o.log, func() (models.Batch, error) { return jobs[0].task.sampler.Sample(jobs[0].ctx, ps...) })
	<-o.slots
	if err != nil && len(jobs) > 1 {
		for _, j := range jobs {
			o.slots <- token{}
			o.runSame([]job{j})
		}
		return
	}
	for i, j := range jobs {
		if err != nil {
			o.answer(j, nil, err)
			continue
		}
		go func() {
			o.slots <- token{}
			clip, err := guarded(o.log, func() (sampling.Clip, error) { return j.task.sampler.Vocode(j.ctx, batch, i, j.p) })
			<-o.slots
			if err != nil {
				o.answer(j, nil, err)
				return
			}
			o.deliver(j, clip)
		}()
	}
}

// deliver stores a clip and answers its request, or the other way round.
func (o *operator) deliver(j job, clip sampling.Clip) {
	if o.config.StoreFirst {
		sent, err := guarded(o.log, func() (published, error) { return o.publish(j.ctx, j.task, clip) })
		o.answer(j, &nats.Msg{Header: sent.headers(), Data: sent.body}, err)
		if err == nil {
			o.audit.observe(j.task.sampler, clip, sent.listed)
		}
		return
	}
	sent, err := guarded(o.log, func() (published, error) { return o.encoded(j.ctx, j.task, clip) })
	if err != nil {
		o.answer(j, nil, err)
		return
	}
	defer o.end(j)
	o.reply(j, &nats.Msg{Header: sent.headers(), Data: sent.body}, nil)
	if _, err := guarded(o.log, func() (token, error) { return token{}, o.storeLater(&sent) }); err != nil {
		o.mu.Lock()
		o.counts.Unstored++
		o.mu.Unlock()
		o.log.Warn("a clip that has been sent to its client could not be stored", "id", sent.listed.ID, "error", err)
	}
	o.audit.observe(j.task.sampler, clip, sent.listed)
}

// storeLater stores a clip that has been answered. Nobody waits for it, so that it may wait for its stream as long as a request may
// take, from now on, and once the operator stops for publishWait. Until then it counts among the mostOpen requests.
func (o *operator) storeLater(p *published) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-ctx.Done():
			return
		case <-o.left:
		}
		select {
		case <-ctx.Done():
		case <-time.After(publishWait):
			cancel()
		}
	}()
	return o.store(ctx, p, o.config.Timeout)
}

// answer sends the answer to a request, or the error, and ends the request.
func (o *operator) answer(j job, answer *nats.Msg, err error) {
	defer o.end(j)
	o.reply(j, answer, err)
}

// end makes room for another request.
func (o *operator) end(j job) {
	j.cancel()
	<-o.open
	o.running.Done()
}

// reply sends the answer to a request, or the error.
func (o *operator) reply(j job, answer *nats.Msg, err error) {
	t := j.task
	if err != nil {
		o.log.Warn("a request could not be fulfilled", "label", t.Label, "n", t.N, "seed", *t.Seed, "error", err)
		answer = errorMessage(err)
	}
	if t.trace != "" {
		answer.Header[header.Traceparent] = []string{t.trace}
	}
	o.answered(j.began, t.N, answer.Header.Get(micro.ErrorCodeHeader))
	answer.Subject = t.reply
	if err := o.env.Bus.Conn().PublishMsg(answer); err != nil {
		o.log.Warn("answer a request", "error", err)
	}
}
