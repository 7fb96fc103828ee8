package eval

// A Row holds the figures of one set of clips. Where a figure depends on the number of clips, it is the mean over
// disjoint parts with as many clips of each label as the held-out real clips have, so that rows compare.
type Row struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"`  // "real", "ceiling", "noise" or "model"
	Clips int    `json:"clips"` // measured
	Parts int    `json:"parts"` // that make the means

	// LabelAccuracy is the share of clips that the evaluator's classifier assigns to the requested label, of each label in
	// LabelRecall, in the order of Report.Labels. Confusion counts the assigned labels (column) of each requested one (row).
	LabelAccuracy float64   `json:"label_accuracy"`
	LabelRecall   []float64 `json:"label_recall"`
	Confusion     [][]int   `json:"confusion"`
	// Predicted is the label assigned to each clip, as an index into Report.Labels.
	Predicted []int `json:"-"`
	// Silent is the share of clips without any sound.
	Silent float64 `json:"silent"`

	Inception              float64 `json:"inception_score"`
	InceptionRatio         float64 `json:"inception_ratio"` // to that of held-out real clips
	ModifiedInception      float64 `json:"modified_inception_score"`
	ModifiedInceptionRatio float64 `json:"modified_inception_ratio"`
	AM                     float64 `json:"am_score"` // nats; 0 is best

	Frechet      float64 `json:"frechet"`       // to the training clips
	FrechetRatio float64 `json:"frechet_ratio"` // to that of held-out real clips; 1 is as near as fresh recordings
	// FrechetLimit is the Fréchet distance without the bias of few clips, see metric.Reference.FrechetLimit.
	FrechetLimit float64 `json:"frechet_limit,omitempty"`
	Kernel       float64 `json:"kernel_distance"`
	AudioKernel  float64 `json:"kernel_audio_distance,omitempty"` // see metric.AudioKernelResampled
	NDB          float64 `json:"ndb"`                             // share of statistically different bins; 0.05 is expected of real clips

	TwoSample    TwoSample    `json:"two_sample"`
	Memorisation Memorisation `json:"memorisation"`

	// Diversity is the mean distance within a label, 0 where no label has two clips; DiversityRatio is its ratio to that
	// of held-out real clips (of training clips, where those are one a label). Below 0.3 a model has collapsed.
	Diversity      float64 `json:"diversity"`
	DiversityRatio float64 `json:"diversity_ratio"`

	// Usefulness is nil where it was not asked for.
	Usefulness *Usefulness `json:"usefulness,omitempty"`

	// Intervals are the 95 % intervals of the figures above, by their JSON names; nested ones are joined by a dot, as in
	// "two_sample.real", "memorisation.spectrogram" and, of each label, "label_recall.NAME". See the package comment.
	Intervals Intervals `json:"intervals,omitempty"`
	// NotMeasured says of figures that could not be measured why; they are 0.
	NotMeasured map[string]string `json:"not_measured,omitempty"`
	// Groups give known and unknown groups apart, of real clips; of models, see Usefulness.
	Groups *Groups `json:"groups,omitempty"`

	// Sounds set what an ear minds beside the held-out recordings, by label; empty where it was not measured.
	Sounds []Sound `json:"sounds,omitempty"`

	figures figures // draws, to compare rows by

	// Training is nil for rows that are no model.
	Training *Training `json:"training,omitempty"`
}

// TwoSample is the accuracy of a nearest-neighbour classifier of real and generated clips; 0.5 is best.
type TwoSample struct {
	Real      float64 `json:"real"`      // share of held-out real clips nearest to another real one
	Generated float64 `json:"generated"` // share of generated clips nearest to another generated one
}

// Memorisation says whether generated clips are copies of training clips, by the spectrogram and by the classifier's
// features. See metric.Memorisation.
type Memorisation struct {
	Spectrogram float64 `json:"spectrogram"` // 5 % quantile of the ratio of distances
	Features    float64 `json:"features"`
	// Of held-out real clips:
	RealSpectrogram float64 `json:"real_spectrogram"`
	RealFeatures    float64 `json:"real_features"`
	Limit           float64 `json:"limit"` // of Spectrogram: Alarm is set below it
	Alarm           bool    `json:"alarm"`
	// Judged is false where there are too few clips to exclude copies; Reason says why. Alarm is valid in either case.
	Judged bool   `json:"judged"`
	Reason string `json:"reason,omitempty"`

	// Nearest is, for each generated clip, the index of the training clip with the nearest spectrogram.
	Nearest []int `json:"-"`
	// Ratios are the spectrograms' ratios of each generated clip.
	Ratios []float64 `json:"-"`
}

// Usefulness says what clips are worth for training a classifier, which is then tested on held-out real clips.
type Usefulness struct {
	// Alone is the accuracy on held-out real clips of classifiers trained on the generated ones alone, as many as there
	// are real training clips; Real is that of classifiers trained on the real ones; both are means over three, of
	// different seeds, or of one each where Quick. Ratio is Alone / Real.
	Alone float64 `json:"trained_on_synthetic"`
	Real  float64 `json:"trained_on_real"`
	Ratio float64 `json:"ratio"`
	// Added are the gains of adding the generated clips to a share of the real ones, beyond tuned augmentation of that
	// share. The generator itself has learnt from all of them: this is what its clips carry, not what it makes of little
	// data.
	Added []Gain `json:"added"`
	// Intervals of trained_on_synthetic, trained_on_real and ratio.
	Intervals Intervals `json:"intervals,omitempty"`
	// Groups give known and unknown groups apart; nil where the held-out clips have none.
	Groups *Groups `json:"groups,omitempty"`
	// Quick is set where one classifier of each kind was trained, with fewer steps. The intervals then do not cover the
	// deviation from one training to the next.
	Quick bool `json:"quick,omitempty"`
}

// Training says what training a model took.
type Training struct {
	Arch       string  `json:"arch"`
	Checkpoint string  `json:"checkpoint,omitempty"` // file
	Digest     string  `json:"digest,omitempty"`
	Seed       uint64  `json:"seed"`
	Steps      int64   `json:"steps"`
	Seconds    float64 `json:"seconds,omitempty"`     // by the clock, training alone
	CPUSeconds float64 `json:"cpu_seconds,omitempty"` // of the process, training alone
	PerClip    float64 `json:"ms_per_clip,omitempty"` // generation, network and phase, many at once
}

// A Report is what eval and compare write as JSON.
type Report struct {
	Format     int               `json:"format"` // 1
	Labels     []string          `json:"labels"`
	TrainClips int               `json:"train_clips"`
	HeldOut    int               `json:"held_out_clips"`
	Seed       uint64            `json:"seed"`
	Quick      bool              `json:"quick,omitempty"` // see EvaluatorOptions.Quick
	Evaluator  EvaluatorAccuracy `json:"judge"`
	Rows       []Row             `json:"rows"`
}

// EvaluatorAccuracy says how far the evaluator itself can be trusted.
type EvaluatorAccuracy struct {
	Validation HeldOut `json:"validation"` // on its own validation clips, a part of the training clips
	Accuracy   float64 `json:"accuracy"`   // on the held-out clips
	ECE        float64 `json:"ece"`        // expected calibration error there
	// Trusted is whether Accuracy reaches the gate, 0.97. Below it, read the figures as no more than a comparison.
	Trusted bool `json:"trusted"`
	// Intervals of accuracy.
	Intervals Intervals `json:"intervals,omitempty"`
}

// Gate is the least accuracy on held-out real clips of a classifier whose figures are absolute and which may reject clips.
const Gate = 0.97
