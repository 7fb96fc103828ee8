// Package sampling generates labelled clips from a checkpoint. It is the only way from a checkpoint to a WAV file: the
// commands, the evaluation and the generate operator all use it, so that the same request gives the same bytes in each.
//
// A [Provenance] is the request: label, seed, temperature, and optionally a given clip to vary or a second label to mix
// with. A [Sampler] executes it in three stages: latents, the network's spectrogram ([Sampler.Sample]), and phase
// reconstruction ([Sampler.Vocode]). [Sampler.Generate] does all three for one clip, [Sampler.Series] and
// [Sampler.Stream] for many, in batches. [Clip.WAV] encodes the result and stores the provenance in the file, from
// which [ReadProvenance] gets it back.
//
// A clip depends on its checkpoint and its Provenance alone, not on the clips generated beside it, the size of batches
// or the number of processors. Clip i of a series that begins with seed S is the clip of seed S+i. The bytes are the
// same on all machines that run the same class of kernels (see models/nn/kernel); between classes, the last bits of
// samples may differ.
//
// [Sampler.Accept] generates until a number of clips pass a filter.
package sampling
