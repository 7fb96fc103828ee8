package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// genPause writes the hint that a loop waits for memory to change.
func genPause(c *file) {
	function(c, "pause", "func(n int)", "pause spends n pause instructions.")
	n := c.Load(c.Param("n"), reg.RAX).(reg.GPPhysical)
	c.Label("loop")
	c.PAUSE()
	c.DECQ(n)
	c.JNE(operand.LabelRef("loop"))
	c.RET()
}
