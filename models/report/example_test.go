package report_test

import (
	"fmt"
	"os"
	"strings"

	"wavemill/models/report"
)

// A share is printed with its 95 % interval.
func ExampleConfusion_Share() {
	c := report.Confusion{
		Labels: []string{"kick", "snare"},
		Counts: [][]int{{48, 2}, {5, 45}}, // [requested][assigned]
	}
	s := c.Share()
	fmt.Printf("%d of %d clips are classified as requested\n", s.Part, s.Whole)
	fmt.Println("certain:", s.Interval[1]-s.Interval[0] == 0)
	// Output:
	// 93 of 100 clips are classified as requested
	// certain: false
}

// Names are escaped, and nothing is loaded from elsewhere.
func ExampleWrite() {
	page := report.Page{Title: "Clips of <three>", Tiles: []report.Tile{{Value: "93 %", Name: "of clips"}}}
	var html strings.Builder
	if err := report.Write(&html, page); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	fmt.Println(strings.Contains(html.String(), "<h1>Clips of &lt;three&gt;</h1>"), strings.Contains(html.String(), "http"))
	// Output: true false
}
