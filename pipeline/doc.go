// Package pipeline is the contract between operators and the bus, and the runtime that keeps it.
//
// An [Operator] turns one [Message] into zero or more. A [Spec] names the operators of a pipeline, a [Registry]
// says how each is built, and [Run] connects them to NATS JetStream: one durable pull consumer per operator,
// one stream per message type. The runtime knows nothing of what it carries, as net/http knows no handlers.
//
// # Delivery
//
// From stream to stream delivery is effectively once. The id of an output is derived from its input's stream
// sequence, so a repeated attempt publishes the same id and the stream drops the copy; the input is acknowledged,
// and the acknowledgement confirmed, only after the stream has confirmed every output. That holds when the output
// is a pure function of the input, the configuration and a seed: an operator that draws random numbers seeds them
// from [Message.ID].
//
// # Errors
//
// An error of [Operator.Process] is routed by its [Kind]: Invalid goes to the dead letters at once, Transient is
// tried again with backoff, everything else is tried again a few times and then becomes a dead letter. A panic is
// an error. Nothing is lost: a dead letter holds the original message, and can be replayed.
//
// # Rooms
//
// Below this package: server (the embedded nats-server), delivery (the consumer loop), deadletter, objects (bodies
// too large for a message) and header (header names, and how their values are written). docs/bus.md is the same
// contract for clients in other languages.
package pipeline
