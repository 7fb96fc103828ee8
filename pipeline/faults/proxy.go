// Package faults disturbs a pipeline on purpose: a TCP proxy between clients and server that cuts, delays and swallows what passes, and
// a run in which the operators of a scratch pipeline are killed, paused and cut off while recordings pass through it.
package faults

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A Proxy stands between NATS clients and one server. It understands enough of the protocol to swallow whole messages, so that a
// connection survives that. Its methods are safe for concurrent use.
type Proxy struct {
	target   string
	listener net.Listener
	delay    atomic.Int64
	swallow  atomic.Pointer[func(frame) bool]

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
	wg     sync.WaitGroup
}

// NewProxy listens on a free port of this machine and forwards to the server at target, host:port. Close it.
func NewProxy(target string) (*Proxy, error) {
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{target: target, listener: listener, conns: map[net.Conn]struct{}{}}
	p.wg.Go(p.accept)
	return p, nil
}

// Addr is where clients connect, host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut ends all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close() // It may have been closed by its goroutine.
	}
}

// Delay delays everything by d, in both directions; 0 ends that.
func (p *Proxy) Delay(d time.Duration) { p.delay.Store(int64(d)) }

// HalfOpen swallows everything in both directions, pings too, while connections stay open.
func (p *Proxy) HalfOpen() { p.drop(func(frame) bool { return true }) }

// DropAcks swallows acknowledgements and signs of life on their way to the server.
func (p *Proxy) DropAcks() { p.drop(frame.isAck) }

// DropPubAcks swallows the confirmations of publications on their way to clients.
func (p *Proxy) DropPubAcks() { p.drop(frame.isPubAck) }

// Forward ends what HalfOpen, DropAcks and DropPubAcks have begun.
func (p *Proxy) Forward() { p.swallow.Store(nil) }

func (p *Proxy) drop(which func(frame) bool) { p.swallow.Store(&which) }

// Close ends all connections and waits for that.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	err := p.listener.Close()
	p.Cut()
	p.wg.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // Closed.
		}
		p.wg.Go(func() { p.serve(client) })
	}
}

// keep registers a connection; false once the proxy is closed.
func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = c.Close()
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *Proxy) release(c net.Conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

func (p *Proxy) serve(client net.Conn) {
	if !p.keep(client) {
		return
	}
	defer p.release(client)
	server, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(context.Background(), "tcp", p.target)
	if err != nil || !p.keep(server) {
		return
	}
	defer p.release(server)
	var both sync.WaitGroup
	both.Go(func() { p.forward(server, client) })
	both.Go(func() { p.forward(client, server) })
	both.Wait()
}

// forward copies frames until one of the two connections ends, and then ends the other.
func (p *Proxy) forward(to, from net.Conn) {
	defer func() { _ = to.Close() }()
	frames := newFrames(from)
	for {
		f, err := frames.next()
		if err != nil {
			return
		}
		if d := time.Duration(p.delay.Load()); d > 0 {
			time.Sleep(d)
		}
		if swallow := p.swallow.Load(); swallow != nil && (*swallow)(f) {
			continue
		}
		if _, err := to.Write(f.bytes); err != nil && !errors.Is(err, io.ErrShortWrite) {
			return
		}
	}
}
