package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// peakChains is how many independent multiply-adds the loop holds: enough to
// hide the latency of four cycles at two a cycle, with room to spare.
const peakChains = 12

// genPeak writes a loop of nothing but multiply-adds, to measure what the
// processor can do at most.
func genPeak(c *file, i isa) {
	function(c, "peak"+i.name, "func(n int)",
		"peak"+i.name+" runs n rounds of 12 independent multiply-adds on whole registers.")
	n := c.Load(c.Param("n"), reg.RAX).(reg.GPPhysical)
	for _, v := range i.vec[:peakChains+2] {
		i.zero(c, v)
	}
	c.Label("loop")
	for _, v := range i.vec[:peakChains] {
		c.VFMADD231PS(i.vec[peakChains], i.vec[peakChains+1], v)
	}
	c.DECQ(n)
	c.JNE(operand.LabelRef("loop"))
	c.VZEROUPPER()
	c.RET()
}
