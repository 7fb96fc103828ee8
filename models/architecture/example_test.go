package architecture_test

import (
	"fmt"
	"strings"

	"wavemill/models/architecture"
)

// Validate names each part that an architecture lacks.
func ExampleArchitecture_Validate() {
	a := architecture.Architecture{
		Name: "toy", Discriminator: architecture.NoDiscriminator, Networks: architecture.NoNetworks,
		Sampling: architecture.NoSampling, Few: architecture.Unchanged, WithLatent: architecture.NoEncoder,
		Sizing: architecture.Sizing{Width: []string{"channels"}, Share: 1, LeastSteps: 1000},
	}
	for line := range strings.Lines(a.Validate().Error()) {
		fmt.Print(line)
	}
	// Output:
	// architecture "toy": Title is missing: reports name the architecture by it
	// architecture "toy": Defaults is missing: the default width is read from it
	// architecture "toy": New is missing: nothing can be trained without it
	// architecture "toy": Open is missing: nothing can be generated without it
}
