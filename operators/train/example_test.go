package train_test

import (
	"fmt"

	"wavemill/operators/train"
	"wavemill/pipeline"
)

// A pipeline with a train operator is checked without starting it.
func ExampleFactory() {
	registry := pipeline.Registry{"train": train.Factory(train.Hooks{})}
	for _, config := range []string{"{model: vaegan, name: drums}", "{model: wavenet}"} {
		spec, err := pipeline.ParseSpec([]byte("name: mill\ndata_dir: data\noperators: [{operator: train, config: " + config + "}]"))
		if err != nil {
			panic(err)
		}
		fmt.Println(pipeline.Check(spec, registry))
	}
	// Output:
	// <nil>
	// operator train: configuration: model "wavenet" is unknown; there are: flow, gan, vae, vaegan
}
