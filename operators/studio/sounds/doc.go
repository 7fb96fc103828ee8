// Package sounds makes the studio's clips. A [Library] holds opened models; every clip is described by the query of its
// address (see [Ask]) and nothing else, so that an address is a sound: the same model, label, seed and settings give the same
// bytes, on another day and after a restart too.
//
// Beside clips the library has what people do with them: given clips to vary, stars with names, an archive of them, a map of
// the latents, the recordings that are most like a clip, and blind tests.
package sounds
