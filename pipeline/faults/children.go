package faults

import (
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"time"
)

// children are the processes of the operators, one each. One that ends by itself, because it did not find the server for example,
// is started again, as a cluster does.
type children struct {
	command func(stage string) (*exec.Cmd, error)

	mu      sync.Mutex
	running map[string]*child
	ended   int // How often a process has ended by itself.
}

// A child is one process.
type child struct {
	cmd    *exec.Cmd
	exited chan struct{} // Closed when it has ended.
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
	started := &child{cmd, make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running[stage] = started
	go func() {
		_ = cmd.Wait() // Its error is that it was killed, or it has logged it.
		close(started.exited)
		time.Sleep(500 * time.Millisecond) // Not again at once: the reason may last.
		c.mu.Lock()
		itself := c.running[stage] == started
		if itself {
			c.ended++
		}
		c.mu.Unlock()
		if itself {
			_ = c.start(stage) // As it has started before.
		}
	}()
	return nil
}

// of returns the process of a stage, or nil.
func (c *children) of(stage string) *child {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running[stage]
}

// kill ends the process of a stage as kill -9 does.
func (c *children) kill(stage string) error {
	c.mu.Lock()
	killed := c.running[stage]
	delete(c.running, stage)
	c.mu.Unlock()
	if killed == nil {
		return nil
	}
	select {
	case <-killed.exited:
		return nil // By itself, just now.
	default:
	}
	err := killed.cmd.Process.Kill()
	<-killed.exited
	return err
}

// killAll ends all processes.
func (c *children) killAll() error {
	c.mu.Lock()
	var stages []string
	for stage := range c.running {
		stages = append(stages, stage)
	}
	c.mu.Unlock()
	var errs []error
	for _, stage := range stages {
		errs = append(errs, c.kill(stage))
	}
	return errors.Join(errs...)
}
