package models

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
}
