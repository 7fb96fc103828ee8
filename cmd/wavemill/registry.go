package main

import (
	"wavemill/operators/demo"
	"wavemill/operators/embed"
	"wavemill/operators/generate"
	"wavemill/operators/guard"
	"wavemill/operators/segment"
	"wavemill/operators/spectrogram"
	"wavemill/operators/synthesize"
	"wavemill/operators/topup"
	"wavemill/operators/train"
	"wavemill/pipeline"
)

// hooks are the callbacks of operators that a command uses. The zero value has none.
type hooks = demo.Hooks

// operators is the registry: the operators of this binary, by the name that pipeline files use. An operator of your own is
// one line here; from and to in a pipeline file place it between others.
func operators(h hooks) pipeline.Registry {
	return pipeline.Registry{
		"embed":       embed.Factory(),
		"generate":    generate.Factory(h.Generate),
		"guard":       guard.Factory(),
		"segment":     segment.Factory(),
		"spectrogram": spectrogram.Factory(),
		"synthesize":  synthesize.Factory(),
		"topup":       topup.Factory(topup.Hooks{}),
		"train":       train.Factory(h.Train),
	}
}

// standardOperators are the stages of the pipeline that runs without a pipeline file.
func standardOperators() []pipeline.OperatorSpec {
	return []pipeline.OperatorSpec{
		{Name: "spectrogram", Operator: "spectrogram", Workers: 2},
		{Name: "train", Operator: "train"},
		{Name: "generate", Operator: "generate"},
	}
}
