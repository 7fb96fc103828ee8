// Command wavemill turns a stream of labelled recordings into an endless stream of new labelled recordings.
//
// Operators on a NATS bus convert audio to spectrograms, train a generative model on them and answer requests with
// WAV files that nobody recorded. Run "wavemill demo" to see all of it on one machine, "wavemill help" for the rest.
//
// The exit code is 0 when the work was done, 1 when it failed or was interrupted, 2 for wrong usage, 3 when a gain that
// the command line requires is not shown.
package main

import (
	"os"

	"wavemill/internal/heap"
)

// leastGarbage is how much garbage there may be before it is collected. Operators hold little else: a clip over the bus leaves
// some 200 KiB, which the runtime would otherwise collect every 4 MiB.
const leastGarbage = 64 << 20

func main() {
	heap.LetGrow(leastGarbage)
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
