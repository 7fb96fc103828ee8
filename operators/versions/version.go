// Package versions shows the versions of served models to people: what package modelstore keeps, with the figures that the
// trainer records beside each.
package versions

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"wavemill/internal/text"
	"wavemill/pipeline/modelstore"
)

// States of a version.
const (
	Served    = "served"
	Pinned    = "pinned"    // Pinned: served, and nothing replaces it.
	OnTrial   = "trial"     // OnTrial: replicas compare it with the one before.
	Kept      = "kept"      // Kept: a newer version has replaced it, or it was accepted while another one was pinned.
	Withdrawn = "withdrawn" // Withdrawn: it was taken back, by a person or because its answers were worse.
)

// A Figure is a value with its 95 % interval.
type Figure struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// String is the value and the interval, or a dash for nil.
func (f *Figure) String() string {
	if f == nil {
		return "-"
	}
	return fmt.Sprintf("%.3f [%.3f, %.3f]", f.Value, f.Low, f.High)
}

// A Version is one version of a model.
type Version struct {
	Model     string    `json:"model"`
	Version   uint64    `json:"version"`
	State     string    `json:"state"`
	Digest    string    `json:"digest"`
	Created   time.Time `json:"created"`
	Size      int       `json:"size"` // Size of the checkpoint in bytes.
	Arch      string    `json:"arch,omitempty"`
	Labels    []string  `json:"labels,omitempty"`
	Clips     int       `json:"clips,omitempty"` // Clips that the training was given.
	Data      string    `json:"data,omitempty"`  // Data is the digest of these clips.
	Step      int64     `json:"step,omitempty"`
	Seconds   float64   `json:"seconds,omitempty"` // Seconds of training.
	Seed      uint64    `json:"seed,omitempty"`
	Verdict   string    `json:"verdict,omitempty"`   // Verdict is the reason of the gate.
	Reference string    `json:"reference,omitempty"` // Reference is the digest of the recordings that it was judged on.
	HeldOut   int       `json:"held_out,omitempty"`  // HeldOut counts these.

	Accuracy     *Figure `json:"accuracy,omitempty"`
	Distance     *Figure `json:"distance,omitempty"`
	Memorisation *Figure `json:"memorisation,omitempty"`

	Withdrawn *modelstore.Withdrawal `json:"withdrawn,omitempty"`
	Warnings  []string               `json:"warnings,omitempty"`
}

// List returns the versions of an entry, newest first.
func List(e modelstore.Entry) []Version {
	var out []Version
	for _, s := range e.Versions() {
		state := Kept
		switch {
		case s.Version == e.Version && e.Pinned:
			state = Pinned
		case s.Version == e.Version && e.Trial:
			state = OnTrial
		case s.Version == e.Version:
			state = Served
		case s.Withdrawn != nil:
			state = Withdrawn
		}
		out = append(out, of(e.Name, s, state))
	}
	return out
}

// of reads what the trainer has recorded of a version. What is not there stays empty.
func of(name string, s modelstore.Stored, state string) Version {
	v := Version{Model: name, Version: s.Version, State: state, Digest: s.Digest, Created: s.Created, Size: s.Size, Withdrawn: s.Withdrawn}
	var event struct {
		Arch     string   `json:"arch"`
		Labels   []string `json:"labels"`
		Clips    int      `json:"clips"`
		Data     string   `json:"data"`
		Step     int64    `json:"step"`
		Elapsed  float64  `json:"elapsed"`
		Seed     uint64   `json:"seed"`
		Warnings []string `json:"warnings"`
		Gate     *struct {
			Reason    string `json:"reason"`
			Reference string `json:"reference"`
			HeldOut   int    `json:"held_out"`
			New       *struct {
				Accuracy, Distance, Memorisation *Figure
			} `json:"new"`
		} `json:"gate"`
	}
	if json.Unmarshal(s.Info, &event) != nil {
		return v
	}
	v.Arch, v.Labels, v.Clips, v.Data, v.Step = event.Arch, event.Labels, event.Clips, event.Data, event.Step
	v.Seconds, v.Seed, v.Warnings = event.Elapsed, event.Seed, event.Warnings
	if g := event.Gate; g != nil {
		v.Verdict, v.Reference, v.HeldOut = g.Reason, g.Reference, g.HeldOut
		if g.New != nil {
			v.Accuracy, v.Distance, v.Memorisation = g.New.Accuracy, g.New.Distance, g.New.Memorisation
		}
	}
	return v
}

// A Table is printed one version a line.
type Table []Version

// String is the table, without a final newline.
func (t Table) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MODEL\tVERSION\tSTATE\tDIGEST\tCREATED\tSTEP\tCLIPS\tLABELS\tACCURACY\tDISTANCE\tMEMORISATION")
	for _, v := range t {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%d\t%d\t%d\t%v\t%v\t%v\n", v.Model, v.Version, v.State, short(v.Digest),
			v.Created.UTC().Format("2006-01-02 15:04:05"), v.Step, v.Clips, len(v.Labels), v.Accuracy, v.Distance, v.Memorisation)
	}
	_ = w.Flush() // A strings.Builder takes everything.
	return strings.TrimRight(b.String(), "\n")
}

// String is the version in several lines, without a final newline.
func (v Version) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, f := range v.fields() {
		if f.value != "" {
			fmt.Fprintf(w, "%s\t%s\n", f.name, f.value)
		}
	}
	_ = w.Flush() // As above.
	return strings.TrimRight(b.String(), "\n")
}

// A field is a line about a version.
type field struct{ name, value string }

func (v Version) fields() []field {
	number := func(n int64) string {
		if n == 0 {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
	withdrawn := ""
	if v.Withdrawn != nil {
		withdrawn = v.Withdrawn.Time.UTC().Format(time.RFC3339) + ": " + v.Withdrawn.Reason
	}
	trained := ""
	if v.Seconds > 0 {
		trained = fmt.Sprintf("%.1f s", v.Seconds)
	}
	return []field{
		{"model", v.Model},
		{"version", strconv.FormatUint(v.Version, 10)},
		{"state", v.State},
		{"withdrawn", withdrawn},
		{"digest", v.Digest},
		{"created", v.Created.UTC().Format(time.RFC3339)},
		{"size", text.Count(v.Size, "byte", "bytes")},
		{"architecture", v.Arch},
		{"labels", strings.Join(v.Labels, ", ")},
		{"clips", number(int64(v.Clips))},
		{"data", v.Data},
		{"step", number(v.Step)},
		{"training", trained},
		{"seed", strconv.FormatUint(v.Seed, 10)},
		{"gate", v.Verdict},
		{"judged on", number(int64(v.HeldOut))},
		{"reference", v.Reference},
		{"accuracy", v.Accuracy.String()},
		{"distance", v.Distance.String()},
		{"memorisation", v.Memorisation.String()},
		{"warnings", strings.Join(v.Warnings, "; ")},
	}
}

// short is the beginning of a digest.
func short(digest string) string { return digest[:min(len(digest), 12)] }

// A Difference is a field in which two versions differ.
type Difference struct {
	Field string `json:"field"`
	A     string `json:"a"`
	B     string `json:"b"`
}

// A Diff is the differences of two versions of a model.
type Diff struct {
	Model       string       `json:"model"`
	A           uint64       `json:"a"`
	B           uint64       `json:"b"`
	Differences []Difference `json:"differences"`
}

// Compare returns where two versions differ.
func Compare(a, b Version) Diff {
	d := Diff{Model: a.Model, A: a.Version, B: b.Version, Differences: []Difference{}}
	others := b.fields()
	for i, f := range a.fields() {
		if f.name != "version" && f.value != others[i].value {
			d.Differences = append(d.Differences, Difference{f.name, f.value, others[i].value})
		}
	}
	return d
}

// String is a table of the differences, without a final newline.
func (d Diff) String() string {
	if len(d.Differences) == 0 {
		return "no difference"
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\tVERSION %d\tVERSION %d\n", d.A, d.B)
	for _, x := range d.Differences {
		fmt.Fprintf(w, "%s\t%s\t%s\n", x.Field, x.A, x.B)
	}
	_ = w.Flush() // As above.
	return strings.TrimRight(b.String(), "\n")
}
