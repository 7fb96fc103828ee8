package faults

import (
	"errors"
	"fmt"
	"os/exec"
)

// children are the processes of the operators, one each. One goroutine uses them.
type children struct {
	command func(stage string) (*exec.Cmd, error)
	running map[string]*exec.Cmd
}

// start starts the process of a stage.
func (c *children) start(stage string) error {
	cmd, err := c.command(stage)
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("start operator %s: %w", stage, err)
	}
	c.running[stage] = cmd
	return nil
}

// kill ends the process of a stage as kill -9 does.
func (c *children) kill(stage string) error {
	cmd := c.running[stage]
	if cmd == nil {
		return nil
	}
	delete(c.running, stage)
	err := cmd.Process.Kill()
	_ = cmd.Wait() // Its error is that it was killed.
	return err
}

// killAll ends all processes.
func (c *children) killAll() error {
	var errs []error
	for stage := range c.running {
		errs = append(errs, c.kill(stage))
	}
	return errors.Join(errs...)
}
