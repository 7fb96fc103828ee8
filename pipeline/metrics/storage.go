package metrics

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"wavemill/pipeline"
)

// storageEvery is the least time between two requests for the state of a stream, and storageWait how long they may take.
const (
	storageEvery = 10 * time.Second
	storageWait  = 2 * time.Second
)

// sizes are the bytes in a stream and their limit, 0 without one.
type sizes struct{ used, limit float64 }

// storage reads how full streams are, and remembers it for storageEvery.
type storage struct {
	mu      sync.Mutex
	at      time.Time
	streams map[string]sizes // By name on the server; without those that did not answer.
}

// collect sends the storage of a pipeline's own streams.
func (s *storage) collect(bus *pipeline.Bus, all []pipeline.Status, send sender) {
	for name, size := range s.read(bus, all) {
		send(prometheus.GaugeValue, "stream_bytes", "Bytes in a stream that an operator of this process reads or writes.", size.used, "stream", name)
		if size.limit > 0 {
			send(prometheus.GaugeValue, "stream_limit_bytes", "Bytes that the stream may take (streams.max_bytes); absent without a limit.", size.limit, "stream", name)
		}
	}
	if used, limit := bus.Storage(); limit > 0 {
		send(prometheus.GaugeValue, "storage_bytes", "Bytes that the streams of the embedded server take on disk; absent with an external server.", float64(used))
		send(prometheus.GaugeValue, "storage_limit_bytes", "Bytes that they may take; absent with an external server.", float64(limit))
	}
}

func (s *storage) read(bus *pipeline.Bus, all []pipeline.Status) map[string]sizes {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.at) < storageEvery {
		return s.streams
	}
	var names []string
	for _, status := range all {
		for _, stream := range []string{status.From, status.To} {
			if stream != "" && !slices.Contains(names, stream) {
				names = append(names, stream)
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), storageWait)
	defer cancel()
	s.at, s.streams = time.Now(), make(map[string]sizes, len(names))
	for _, name := range names {
		stream, err := bus.JetStream().Stream(ctx, bus.Spec().StreamName(name))
		if err != nil {
			continue // Absent, rather than 0.
		}
		info := stream.CachedInfo()
		s.streams[info.Config.Name] = sizes{used: float64(info.State.Bytes), limit: float64(info.Config.MaxBytes)}
	}
	return s.streams
}
