package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/pflag"

	"wavemill/audio/synth"
	"wavemill/audio/wav"
	"wavemill/pipeline"
	"wavemill/pipeline/faults"
)

// chaosFlags are the flags of `wavemill verify --chaos`.
type chaosFlags struct {
	on                    bool
	clips, seconds, kills int
	seed                  uint64
}

func (c *chaosFlags) add(f *pflag.FlagSet) {
	f.BoolVar(&c.on, "chaos", false, "run a scratch pipeline through faults on this server")
	f.IntVar(&c.clips, "clips", 300, "with --chaos: recordings to send")
	f.IntVar(&c.seconds, "seconds", 30, "with --chaos: how long there are faults at least")
	f.IntVar(&c.kills, "kills", 0, "with --chaos: how many operators are killed at least")
	f.Uint64Var(&c.seed, "seed", 1, "with --chaos: chooses the faults and their moments")
}

// badEvery is after how many recordings of a fault run one is no audio.
const badEvery = 50

// chaosRecording is the i-th recording of a fault run.
func chaosRecording(i int) (label string, body []byte, bad bool) {
	classes := synth.Classes()
	label = classes[i%len(classes)]
	if i%badEvery == badEvery-1 {
		return label, fmt.Appendf(nil, "recording %d is no audio", i), true
	}
	clip, err := synth.Clip(label, uint64(i), 8000)
	if err == nil {
		body, err = wav.Encode(clip, wav.Options{})
	}
	if err != nil { // The class exists, and 8 kHz is a rate.
		panic(err)
	}
	return label, body, false
}

// chaosSpec is the scratch pipeline of a spec: its server, login and stages.
func chaosSpec(spec pipeline.Spec) pipeline.Spec {
	out := pipeline.Spec{NATS: cmp.Or(spec.NATS, defaultURL), Auth: spec.Auth, Operators: spec.Operators, Inputs: spec.Inputs}
	out.Streams.Replicas = spec.Streams.Replicas
	if len(out.Operators) == 0 {
		out.Operators = standardOperators()[:1]
	}
	return out
}

// operatorCommand returns how this program runs one stage of a spec as a process, with pipeline files in dir.
func operatorCommand(dir string) func(spec pipeline.Spec, stage string) (*exec.Cmd, error) {
	return func(spec pipeline.Spec, stage string) (*exec.Cmd, error) {
		program, err := os.Executable()
		if err != nil {
			return nil, err
		}
		text, err := yaml.Marshal(spec)
		if err != nil {
			return nil, err
		}
		file := filepath.Join(dir, stage+".yaml")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return nil, err
		}
		return exec.Command(program, "operator", stage, "-f", file, "--log", "json"), nil
	}
}

// chaos runs a scratch pipeline through faults.
func (a *app) chaos(ctx context.Context, v verifyFlags) (err error) {
	if v.chaos.clips < 1 || v.chaos.seconds < 0 || v.chaos.kills < 0 {
		return usagef("--clips must be positive, --seconds and --kills not negative")
	}
	spec, err := v.read(pipeline.Overrides{})
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "wavemill-chaos-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	result, err := faults.Run(ctx, faults.Options{
		Spec: chaosSpec(spec), Registry: operators(hooks{}), Command: operatorCommand(dir), Recording: chaosRecording,
		Clips: v.chaos.clips, Time: time.Duration(v.chaos.seconds) * time.Second, Kills: v.chaos.kills, Seed: v.chaos.seed, Log: a.log,
	})
	if err == nil {
		err = a.printResult(v.asJSON, result)
	}
	if err == nil && !result.OK {
		err = errFaults
	}
	return err
}
