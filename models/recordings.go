package models

import "slices"

// A Recording identifies one labelled recording, independently of its file: a renamed, re-saved or relabelled copy has
// the same Digest. Package audio/fingerprint makes Digest and Print.
type Recording struct {
	Source string `json:"source"`          // path below the data folder, with slashes, or the bus' Wavemill-Source
	Label  string `json:"label"`           //
	Group  string `json:"group,omitempty"` // speaker, kit, session: what a split by groups keeps together
	Digest string `json:"digest"`          // of the decoded samples, in hexadecimal
	Print  string `json:"print,omitempty"` // fingerprint, by which near copies are recognised; empty: none could be made
}

// TrainingData records which recordings a training learnt from and which it held out, and the rule that parted them.
// With it, a later evaluation can exclude everything that the model has seen.
type TrainingData struct {
	Share      float64     `json:"share"`                           // of the recordings, held out
	Validation float64     `json:"validation"`                      // of the others, held out to choose the best weights
	Seed       uint64      `json:"seed"`                            // of the split
	Group      string      `json:"group,omitempty"`                 // field that names the groups; empty: split by recordings
	HoldOut    []string    `json:"hold_out,omitempty"`              // groups held out whole, such as "speaker=theo"
	Learnt     []Recording `json:"train"`                           // the weights learnt from these
	Chosen     []Recording `json:"validation_recordings,omitempty"` // the best weights were chosen by these
	HeldOut    []Recording `json:"held_out"`                        // the training has not seen these

	// Unlabelled are the recordings that came without a label; nil where there were none.
	Unlabelled *Unlabelled `json:"unlabelled,omitempty"`
}

// Unlabelled records which recordings came without a label, the labels that package pseudolabel assigned to them, and how.
type Unlabelled struct {
	Used   []Recording `json:"used"`   // the weights learnt from these, with their assigned labels
	Unused []Recording `json:"unused"` // too uncertain to learn from; they have been seen all the same

	Counts     map[string]int `json:"counts"`     // of Used, by label
	Share      float64        `json:"share"`      // of the recordings assigned to a label, used
	Margin     float64        `json:"margin"`     // the least lead in probability of a used label
	Neighbours int            `json:"neighbours"` // of each recording
	Seed       uint64         `json:"seed"`
	Labelled   int            `json:"labelled"` // recordings that the labels come from
	Checked    int            `json:"checked"`  // of these, those that were assigned a label while theirs was hidden
	Right      int            `json:"right"`    // of these, those that were assigned their own
}

// Seen returns the recordings that the weights, their choice or their labels depend on.
func (d TrainingData) Seen() []Recording {
	seen := slices.Concat(d.Learnt, d.Chosen)
	if d.Unlabelled != nil {
		seen = slices.Concat(seen, d.Unlabelled.Used, d.Unlabelled.Unused)
	}
	return seen
}
