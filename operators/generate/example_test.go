package generate_test

import (
	"fmt"

	"wavemill/operators/generate"
	"wavemill/pipeline"
)

// A pipeline with a generate operator is checked without starting it.
func ExampleFactory() {
	registry := pipeline.Registry{"generate": generate.Factory(generate.Hooks{})}
	for _, config := range []string{"{model: drums, concurrency: 2}", "{max_n: 0}"} {
		spec, err := pipeline.ParseSpec([]byte("name: mill\ndata_dir: data\noperators: [{operator: generate, config: " + config + "}]"))
		if err != nil {
			panic(err)
		}
		fmt.Println(pipeline.Check(spec, registry))
	}
	// Output:
	// <nil>
	// operator generate: configuration: max_n and timeout must be positive, concurrency not negative
}
