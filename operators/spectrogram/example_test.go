package spectrogram_test

import (
	"fmt"
	"time"

	"wavemill/models/frontend"
	"wavemill/operators/spectrogram"
	"wavemill/pipeline"
)

func ExampleConfigFor() {
	fe := frontend.Plan([]int{8000, 8000, 44100}, []time.Duration{time.Second, time.Second, time.Second})
	config, err := spectrogram.ConfigFor(fe)
	if err != nil {
		panic(err)
	}
	spec := pipeline.Spec{DataDir: "data", Operators: []pipeline.OperatorSpec{{Operator: "spectrogram", Workers: 2, Config: config}}}
	fmt.Println(pipeline.Check(spec, pipeline.Registry{"spectrogram": spectrogram.Factory()}))
	// Output: <nil>
}
