package training

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A CeilingMode says how much of a front end's ceiling is measured.
type CeilingMode string

// The modes.
const (
	CeilingAuto CeilingMode = "auto" // with a classifier where a budget of time has room for it
	CeilingFull CeilingMode = "full" // with a classifier
	CeilingFast CeilingMode = "fast" // without
	CeilingOff  CeilingMode = "off"  // nothing
)

// ceilingShare is the most that the classifier of the ceiling may take of a budget, and ceilingLeast the least time in which
// it learns enough to be of use.
const (
	ceilingShare = 0.05
	ceilingLeast = 15 * time.Second
)

// Validate returns an error that names the modes where m is none of them.
func (m CeilingMode) Validate() error {
	modes := []string{string(CeilingAuto), string(CeilingFull), string(CeilingFast), string(CeilingOff)}
	if !slices.Contains(modes, string(m)) {
		return fmt.Errorf("ceiling is one of %s; not %q", strings.Join(modes, ", "), string(m))
	}
	return nil
}

// PlanOptions are what the mode measures before a training with a budget of time; 0: without one. The classifier of
// CeilingAuto gets a twentieth of the budget, and is left out where that is less than 15 s.
func (m CeilingMode) PlanOptions(budget time.Duration) PlanOptions {
	o := PlanOptions{Ceiling: m != CeilingOff}
	switch m {
	case CeilingFull:
		o.Classifier = -1
	case CeilingAuto:
		if t := time.Duration(ceilingShare * float64(budget)); t >= ceilingLeast {
			o.Classifier = t
		}
	case CeilingFast, CeilingOff:
	}
	return o
}
