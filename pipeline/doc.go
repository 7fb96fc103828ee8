// Package pipeline is the contract between operators and the bus, and the runtime that keeps it.
//
// An [Operator] turns one [Message] into zero or more. A [Spec] names the operators of a pipeline, a [Registry]
// builds each of them, and [Run] connects them to NATS JetStream: each operator reads one stream through a durable pull
// consumer and writes to another. The runtime does not depend on audio or models.
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
// The [Kind] of an error of [Operator.Process] decides what follows. Invalid: the message becomes a dead letter at once.
// Transient: it is tried again with backoff for hours. Other, panics included: it is tried again a few times and then
// becomes a dead letter. A dead letter holds the original message and can be replayed ([Bus.DeadLetters]).
//
// # Streams
//
// A message's type says what its body is; its stream is where it travels. By default the stream has the name of the type.
// The fields from and to of an [OperatorSpec] name other streams, so that an operator can stand between two others.
//
// # Packages
//
// Below this package: server (the embedded nats-server), delivery (the consumer loop), deadletter (messages that failed),
// objectstore (bodies too large for a message), modelstore (versions of models), contract (which recordings are admitted) and
// header (names and encoding of headers). Above it: health and metrics (the state of a running pipeline over HTTP), tracing
// (the export of traces) and lint (the faults of pipeline files). docs/bus.md is the same contract for clients in other languages.
package pipeline
