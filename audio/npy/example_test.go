package npy_test

import (
	"fmt"
	"log"

	"wavemill/audio/npy"
)

func ExampleEncode() {
	file := npy.Encode([]int{2, 3}, []float32{1, 2, 3, 4, 5, 6}) // What numpy.load reads as [[1, 2, 3], [4, 5, 6]].
	shape, data, err := npy.Decode(file)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(file), shape, data)
	// Output: 152 [2 3] [1 2 3 4 5 6]
}
