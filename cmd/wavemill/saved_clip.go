package main

// savedClip is a generated clip on disk, as clips.jsonl of a demo records it.
type savedClip struct {
	File       string   `json:"file"`
	Label      string   `json:"label"`
	Seed       uint64   `json:"seed"`
	Confidence *float64 `json:"confidence"` // null where no classifier has evaluated the clip
	Heard      string   `json:"heard,omitempty"`
	Model      string   `json:"model,omitempty"`
}
