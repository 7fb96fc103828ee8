package demo

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/goccy/go-yaml"

	"wavemill/internal/text"
	"wavemill/operators/spectrogram"
	"wavemill/pipeline"
)

// pipelineSpec is the pipeline of the demo: the standard operators, configured for the recordings and the flags.
func (r *run) pipelineSpec() (pipeline.Spec, error) {
	convert, err := spectrogram.ConfigFor(r.frontEnd)
	if err != nil {
		return pipeline.Spec{}, err
	}
	rule := r.o.Holdout
	settings := map[string]any{
		"model": r.o.Arch, "name": r.o.Arch, "seed": r.o.Seed, "steps": r.o.Steps, "budget": r.o.Budget.String(),
		"holdout": rule.Share, "validation": rule.Validation, "min_clips": 1, "wait_for": len(r.recordings),
		"front_end": r.frontEnd,
		"gate":      false, // There is one training, and the demo evaluates its model itself. Not in the file that is left behind.
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
	serve, err := json.Marshal(map[string]any{"model": r.o.Arch})
	if err != nil {
		return pipeline.Spec{}, err
	}
	spec := pipeline.Spec{
		Name: cmp.Or(r.o.Pipeline, pipeline.DefaultName),
		Operators: []pipeline.OperatorSpec{
			{Name: "spectrogram", Operator: "spectrogram", Workers: 2, Config: yaml.RawMessage(convert)},
			{Name: "train", Operator: "train", Config: yaml.RawMessage(learn)},
			{Name: "generate", Operator: "generate", Config: yaml.RawMessage(serve)},
		},
	}
	if r.o.URL != "" {
		// Others may use the server, and so may an earlier demo with other recordings.
		spec.NATS, spec.Name = r.o.URL, cmp.Or(r.o.Pipeline, "demo-"+r.fingerprint()[:8])
		return spec, nil
	}
	spec.DataDir = filepath.Join(r.o.Out, BusDir)
	return spec, nil
}

// writePipeline writes the pipeline to a file with which `wavemill up` serves the model of the demo.
func (r *run) writePipeline() error {
	spec := r.spec
	if spec.NATS == "" {
		dir, err := filepath.Abs(spec.DataDir)
		if err != nil {
			return err
		}
		spec.DataDir, spec.Listen = dir, "127.0.0.1:4222"
	}
	address := pipeline.Redact(spec.NATS)
	doc := yaml.MapSlice{{Key: "name", Value: spec.Name}}
	for _, f := range []yaml.MapItem{{Key: "nats", Value: address}, {Key: "data_dir", Value: spec.DataDir}, {Key: "listen", Value: spec.Listen}} {
		if f.Value != "" {
			doc = append(doc, f)
		}
	}
	var stages []yaml.MapSlice
	for _, o := range spec.Operators {
		var config yaml.MapSlice
		if err := yaml.UnmarshalWithOptions(o.Config, &config, yaml.UseOrderedMap()); err != nil {
			return fmt.Errorf("%s: %w", PipelineFile, err)
		}
		config = slices.DeleteFunc(config, func(f yaml.MapItem) bool { return f.Key == "gate" })
		stage := yaml.MapSlice{{Key: "name", Value: o.Name}, {Key: "operator", Value: o.Operator}}
		if o.Workers > 0 {
			stage = append(stage, yaml.MapItem{Key: "workers", Value: o.Workers})
		}
		stages = append(stages, append(stage, yaml.MapItem{Key: "config", Value: config}))
	}
	content, err := yaml.Marshal(append(doc, yaml.MapItem{Key: "operators", Value: stages}))
	if err != nil {
		return fmt.Errorf("%s: %w", PipelineFile, err)
	}
	head := "# The pipeline of this demo. It serves the trained model:\n#   wavemill up -f " + text.Quote(filepath.Join(r.o.Out, PipelineFile)) + "\n"
	if address != spec.NATS {
		head += "# The login is left out of nats: give the whole URL as --nats.\n"
	}
	return write(filepath.Join(r.o.Out, PipelineFile), append([]byte(head), content...))
}
