package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/goccy/go-yaml"

	"wavemill/operators/spectrogram"
	"wavemill/pipeline"
)

// pipelineSpec is the pipeline of the demo: the standard operators, configured for the recordings and the flags.
func (d *demo) pipelineSpec() (pipeline.Spec, error) {
	convert, err := spectrogram.ConfigFor(d.frontEnd)
	if err != nil {
		return pipeline.Spec{}, err
	}
	rule := d.o.rule(d.o.seed)
	settings := map[string]any{
		"model": d.o.arch, "name": d.o.arch, "seed": d.o.seed, "steps": d.o.steps, "budget": d.o.budget.String(),
		"holdout": rule.Share, "validation": rule.Validation, "min_clips": 1, "wait_for": len(d.recordings),
	}
	if rule.Group != "" {
		settings["group"] = rule.Group
	}
	if len(rule.Out) > 0 {
		settings["hold_out"] = rule.Out
	}
	learn, err := json.Marshal(settings)
	if err != nil {
		return pipeline.Spec{}, err
	}
	make, err := json.Marshal(map[string]any{"model": d.o.arch})
	if err != nil {
		return pipeline.Spec{}, err
	}
	spec := pipeline.Spec{
		Name: cmp.Or(d.o.pipeline, pipeline.DefaultName),
		Operators: []pipeline.OperatorSpec{
			{Name: "spectrogram", Operator: "spectrogram", Workers: 2, Config: yaml.RawMessage(convert)},
			{Name: "train", Operator: "train", Config: yaml.RawMessage(learn)},
			{Name: "generate", Operator: "generate", Config: yaml.RawMessage(make)},
		},
	}
	if d.o.url != "" {
		// Others may use the server, and so may an earlier demo with other recordings.
		spec.NATS, spec.Name = d.o.url, cmp.Or(d.o.pipeline, "demo-"+d.fingerprint()[:8])
		return spec, nil
	}
	spec.DataDir = filepath.Join(d.o.out, demoBusDir)
	return spec, nil
}

// writePipeline writes the pipeline to a file with which `wavemill up` serves the model of the demo.
func (d *demo) writePipeline() error {
	spec := d.spec
	if spec.NATS == "" {
		dir, err := filepath.Abs(spec.DataDir)
		if err != nil {
			return err
		}
		spec.DataDir, spec.Listen = dir, "127.0.0.1:4222"
	}
	doc := yaml.MapSlice{{Key: "name", Value: spec.Name}}
	for _, f := range []yaml.MapItem{{Key: "nats", Value: spec.NATS}, {Key: "data_dir", Value: spec.DataDir}, {Key: "listen", Value: spec.Listen}} {
		if f.Value != "" {
			doc = append(doc, f)
		}
	}
	var stages []yaml.MapSlice
	for _, o := range spec.Operators {
		var config yaml.MapSlice
		if err := yaml.UnmarshalWithOptions(o.Config, &config, yaml.UseOrderedMap()); err != nil {
			return fmt.Errorf("%s: %w", demoPipelineFile, err)
		}
		stage := yaml.MapSlice{{Key: "name", Value: o.Name}, {Key: "operator", Value: o.Operator}}
		if o.Workers > 0 {
			stage = append(stage, yaml.MapItem{Key: "workers", Value: o.Workers})
		}
		stages = append(stages, append(stage, yaml.MapItem{Key: "config", Value: config}))
	}
	text, err := yaml.Marshal(append(doc, yaml.MapItem{Key: "operators", Value: stages}))
	if err != nil {
		return fmt.Errorf("%s: %w", demoPipelineFile, err)
	}
	head := "# The pipeline of this demo. It serves the trained model:\n#   wavemill up -f " + quote(filepath.Join(d.o.out, demoPipelineFile)) + "\n"
	return writeFile(filepath.Join(d.o.out, demoPipelineFile), append([]byte(head), text...))
}
