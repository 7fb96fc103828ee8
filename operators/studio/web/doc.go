// Package web is what the parts of the studio share to answer HTTP requests: routes whose handlers return errors, JSON in
// both directions with limits, server-sent events, and the guard that decides which requests are answered at all.
//
// Nothing that the server knows of its own files is sent to a client: an [Error] is the only error whose text is, every
// other one is logged and answered with a general sentence.
package web
