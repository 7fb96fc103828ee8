package main

import (
	"context"
	"strconv"

	"wavemill/models/comparison"
	"wavemill/models/report"
)

// evaluationData are the recordings of --data and --test, and what is known of the former.
type evaluationData struct {
	comparison.Recordings
	hash, labelSource string
}

// evaluationRecordings reads the recordings of --data and --test.
func (a *app) evaluationRecordings(ctx context.Context, o evaluationFlags) (evaluationData, error) {
	var d evaluationData
	d.Rule = o.rule(o.seed)
	set, err := a.scanGroups(ctx, o.data, o.labels, o.group)
	if err != nil {
		return d, err
	}
	d.hash, d.labelSource = set.Hash(), set.LabelSource
	if d.All, err = a.loadItems(ctx, set.Items); err != nil {
		return d, err
	}
	if len(o.test) > 0 {
		d.Test, err = a.load(ctx, o.test, o.labels, o.holdoutFlags)
	}
	return d, err
}

// recordingFacts are the facts about the recordings that an HTML report shows.
func recordingFacts(d evaluationData, seed uint64) []report.Fact {
	return []report.Fact{{Name: "labels from", Value: d.labelSource}, {Name: "data", Value: d.hash}, {Name: "seed", Value: strconv.FormatUint(seed, 10)}}
}
