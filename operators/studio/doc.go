// Package studio is the page on which people look, listen and ask: it makes clips, compares them with recordings, trains
// models and shows a running pipeline. [Server] serves the page and its API from the binary itself, without any other host.
//
// The parts are packages of their own: sounds makes clips, trainings trains, bus shows a pipeline, page is what the browser
// loads, web is what they share. A part says which addresses it answers ([web.Route]); openapi.yaml in the page describes
// them, and a test compares both.
package studio
