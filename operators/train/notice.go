package train

import (
	"context"
	"encoding/json"
	"time"

	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// Progress is the last token of <pipeline>.model.progress, on which notices are published. No model can have this name.
const Progress = "progress"

// Kinds of notices.
const (
	NoticeTraining = "training" // NoticeTraining: a training begins; Aside names the labels that it cannot learn.
	NoticeAccepted = "accepted" // NoticeAccepted: a complete model has passed the gate, and is served.
	NoticePinned   = "pinned"   // NoticePinned: a complete model has passed the gate, and another version is pinned.
	NoticeRefused  = "refused"  // NoticeRefused: the gate has refused a complete model, and the served one stays.
	NoticeWaiting  = "waiting"  // NoticeWaiting: there are new clips that no training has been begun for, and Reason says why.
	NoticeForeign  = "foreign"  // NoticeForeign: clips of another front end were refused; they are dead letters.
)

// Notice is what is published as JSON on <pipeline>.model.progress. A notice may be lost: nothing depends on it.
type Notice struct {
	Name    string    `json:"name"` // Name is the model's.
	Kind    string    `json:"kind"`
	Reason  string    `json:"reason,omitempty"` // Reason is a sentence for a person.
	Aside   []string  `json:"labels_set_aside,omitempty"`
	Clips   int       `json:"clips,omitempty"`
	New     int       `json:"new_clips,omitempty"` // New counts clips that the served model was not given.
	Step    int64     `json:"step,omitempty"`
	Gate    *Verdict  `json:"gate,omitempty"`
	Version uint64    `json:"version,omitempty"` // Version is that of the accepted model.
	Time    time.Time `json:"time"`
}

// tell publishes a notice.
func (o *operator) tell(ctx context.Context, n Notice) {
	n.Name, n.Time = o.config.Name, time.Now().UTC().Truncate(time.Millisecond)
	body, err := json.Marshal(n)
	if err == nil {
		m := &pipeline.Message{Type: pipeline.TypeModel, Label: Progress, Header: map[string]string{header.ContentType: "application/json"}, Body: body}
		_, err = o.env.Bus.Publish(context.WithoutCancel(ctx), m) // An announcement: it does not wait.
	}
	if err != nil {
		o.log.Warn("a notice could not be published", "kind", n.Kind, "error", err)
	}
}
