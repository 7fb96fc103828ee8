package main

import "wavemill/pipeline"

// operators is the registry: which operators this binary can run, by the name that pipeline files use.
func operators() pipeline.Registry {
	return pipeline.Registry{}
}

// standardOperators are the stages of the pipeline that runs when no file says otherwise.
func standardOperators() []pipeline.OperatorSpec {
	return []pipeline.OperatorSpec{
		{Name: "spectrogram", Operator: "spectrogram", Workers: 2},
		{Name: "train", Operator: "train"},
		{Name: "generate", Operator: "generate"},
	}
}
