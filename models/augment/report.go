package augment

import (
	"fmt"
	"strings"

	"wavemill/models/eval"
	"wavemill/models/sampling"
	"wavemill/models/training"
)

// The names of the files that a [Job] writes beside the clips.
const (
	ManifestName = "manifest.csv"
	ReportName   = "topup.json"
)

// A Report says what a [Job] did. It is the content of topup.json.
type Report struct {
	Out       string       `json:"out"`       // folder of the clips
	Manifest  string       `json:"manifest"`  // path
	Model     string       `json:"model"`     // digest of the checkpoint
	Seed      uint64       `json:"seed"`      // of the first clip of each label
	To        int          `json:"to"`        // clips wanted for each label
	Labels    []Label      `json:"labels"`    // sorted by name
	Generated int          `json:"generated"` // clips added in all
	Judge     eval.HeldOut `json:"judge"`     // the filter's classifier, on recordings that it was not trained on
	Proof     *Proof       `json:"proof"`     // null without one
	// HeldOut lists the recordings that the proof was measured on; empty without a proof.
	HeldOut []training.HeldOut `json:"held_out"`
	// HeldOutTrusted is false where the checkpoint does not record what it was trained on: it may have seen HeldOut.
	HeldOutTrusted bool `json:"held_out_trusted"`
}

// A Label says what was done for one label.
type Label struct {
	Label      string              `json:"label"`
	Recordings int                 `json:"recordings"`
	Generated  int                 `json:"generated"`         // clips added
	Tried      int                 `json:"tried"`             // seeds
	Acceptance float64             `json:"acceptance"`        // Generated / Tried; 0 where nothing was tried
	Refused    sampling.Rejections `json:"refused"`           // rejected tries by reason
	Missing    int                 `json:"missing,omitempty"` // clips to the number wanted
}

// weight is how often to draw a recording of the label beside each of its clips: recordings are at least half of what is
// drawn, otherwise a classifier fits generated clips better than recordings.
func (l Label) weight() float64 {
	return max(1, float64(l.Generated)/float64(l.Recordings))
}

// String describes the report in several lines, without a final newline: each label, the proof, the manifest.
func (r Report) String() string {
	lines := make([]string, 0, len(r.Labels)+2)
	for _, l := range r.Labels {
		lines = append(lines, l.String())
	}
	if r.Proof != nil {
		lines = append(lines, fmt.Sprintf("proof, on %d recordings that the model has not seen: %v", len(r.HeldOut), r.Proof))
	}
	return strings.Join(append(lines, r.Manifest), "\n")
}

// String describes what was done for the label.
func (l Label) String() string {
	text := fmt.Sprintf("%s: %d recordings, %d clips added", l.Label, l.Recordings, l.Generated)
	if l.Tried > 0 {
		text += fmt.Sprintf(" (%d tried, %.0f %% kept; refused: %s)", l.Tried, 100*l.Acceptance, l.Refused)
	}
	return text
}
