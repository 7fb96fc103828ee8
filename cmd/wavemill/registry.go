package main

import (
	"wavemill/operators/generate"
	"wavemill/operators/spectrogram"
	"wavemill/operators/train"
	"wavemill/pipeline"
)

// hooks let a command take part in what its operators do. The zero value: it does not.
type hooks struct {
	train    train.Hooks
	generate generate.Hooks
}

// operators is the registry: which operators this binary can run, by the name that pipeline files use.
func operators(h hooks) pipeline.Registry {
	return pipeline.Registry{
		"generate":    generate.Factory(h.generate),
		"spectrogram": spectrogram.Factory(),
		"train":       train.Factory(h.train),
	}
}

// standardOperators are the stages of the pipeline that runs when no file says otherwise.
func standardOperators() []pipeline.OperatorSpec {
	return []pipeline.OperatorSpec{
		{Name: "spectrogram", Operator: "spectrogram", Workers: 2},
		{Name: "train", Operator: "train"},
		{Name: "generate", Operator: "generate"},
	}
}
