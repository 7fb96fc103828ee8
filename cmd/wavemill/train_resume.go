package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/training"
)

// agrees returns a usage error where a flag of --resume asks for something else than the checkpoint has. Flags that were
// not given, and those that repeat the first command line, agree.
func (o *trainOptions) agrees(c models.Checkpoint, j *training.Job) error {
	if o.has("model") && o.arch != c.Arch {
		return usagef("--resume: the checkpoint is a %s, not a %s; another --model needs a new training (--overwrite, or another --out)", c.Arch, o.arch)
	}
	if j.Channels > 0 {
		width, _, err := architectures.Width(c.Arch, c.Config)
		if err != nil {
			return err
		}
		if width != j.Channels {
			return usagef("--resume keeps the network of the checkpoint, %d channels; another --channels needs a new training", width)
		}
	}
	if err := o.agreesOnConfig(c); err != nil {
		return err
	}
	if err := o.front.agrees(c.FrontEnd); err != nil {
		return err
	}
	if o.holdout.given() && c.Data != nil && (o.holdout.group != c.Data.Group || !slices.Equal(o.holdout.out, c.Data.HoldOut)) {
		return usagef("--resume keeps the split of the checkpoint (--group %q, --hold-out %q); another one needs a new training", c.Data.Group, strings.Join(c.Data.HoldOut, " "))
	}
	return nil
}

// agreesOnConfig compares --config and --latent with the configuration of the checkpoint, which has more fields.
func (o *trainOptions) agreesOnConfig(c models.Checkpoint) error {
	other := *o
	other.arch = c.Arch // --model may be left out
	config, err := other.settings()
	if err != nil || len(config) == 0 {
		return err
	}
	var asked, has any
	if err := json.Unmarshal(config, &asked); err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	if err := json.Unmarshal(c.Config, &has); err != nil {
		return fmt.Errorf("%s: configuration: %w", o.out, err)
	}
	if field, ok := contains(has, asked, ""); !ok {
		return usagef("--resume keeps the configuration of the checkpoint; %s is another one there than in --config or --latent", field)
	}
	return nil
}

// contains reports whether the JSON value has holds all that asked holds, or the path of the first field that differs.
func contains(has, asked any, path string) (string, bool) {
	fields, isObject := asked.(map[string]any)
	if !isObject {
		a, errA := json.Marshal(has)
		b, errB := json.Marshal(asked)
		return strings.TrimPrefix(path, "."), errA == nil && errB == nil && string(a) == string(b)
	}
	of, isObject := has.(map[string]any)
	if !isObject {
		return strings.TrimPrefix(path, "."), false
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if at, ok := contains(of[name], fields[name], path+"."+name); !ok {
			return at, false
		}
	}
	return "", true
}

// resumeCommand is what the user types to go on.
func (o *trainOptions) resumeCommand() string {
	parts := []string{"wavemill train --resume"}
	add := func(flag, value string) {
		if value != "" {
			parts = append(parts, "--"+flag+" "+quote(value))
		}
	}
	for _, d := range o.data {
		add("data", d)
	}
	add("out", o.out)
	add("labels", o.labels)
	if o.steps > 0 {
		add("steps", strconv.FormatInt(o.steps, 10))
	} else {
		add("budget", o.budget.String())
	}
	if o.has("best-by") {
		add("best-by", o.bestBy)
	}
	if o.patience > 0 {
		add("patience", strconv.Itoa(o.patience))
	}
	if o.evalEvery > 0 {
		add("eval-every", strconv.FormatInt(o.evalEvery, 10))
	}
	add("group", o.holdout.group)
	for _, g := range o.holdout.out {
		add("hold-out", g)
	}
	add("previews", o.previews)
	add("tensorboard", o.tensorboard)
	return strings.Join(parts, " ")
}
