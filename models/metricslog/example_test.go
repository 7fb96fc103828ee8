package metricslog_test

import (
	"fmt"
	"os"
	"path/filepath"

	"wavemill/models/metricslog"
)

// A training that was saved at step 20 and killed later goes on with its curves.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "curves")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model.curves")
	write := func(from int64, steps ...int64) {
		log, err := metricslog.Open(path, from)
		if err != nil {
			panic(err)
		}
		for _, step := range steps {
			if err := log.Add(metricslog.Row{Step: step, Seconds: float64(step) / 10, Values: map[string]float64{"train/loss": 1 / float64(step)}}); err != nil {
				panic(err)
			}
		}
		if err := log.Close(); err != nil {
			panic(err)
		}
	}
	write(-1, 10, 20, 30)
	write(20, 40)
	table, err := os.ReadFile(path + ".csv")
	if err != nil {
		panic(err)
	}
	fmt.Print(string(table))
	// Output:
	// step,seconds,train/loss,notes
	// 10,1.000,0.1,
	// 20,2.000,0.05,
	// 40,4.000,0.025,
}
