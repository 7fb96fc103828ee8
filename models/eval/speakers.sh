#!/bin/sh
# What clips teach about a speaker that the model has not heard: for each speaker of the spoken digits, trains a model without that
# speaker, makes as many clips as recordings, and compares classifiers that learn from either, all with tuned augmentation.
#
#	speakers.sh DATA OUT
#
# OUT gets the model and the clips of each speaker; what is there is not made again. The environment has the rest:
#
#	SPEAKERS  the speakers to leave out (all six)
#	MODEL     architecture (vae)
#	STEPS     steps of each training (2000)
#	CLIPS     clips of each label (205)
#	WAVEMILL  the binary (wavemill on the PATH)
#
# It is run in the checkout, because the comparison is a benchmark of Go.
set -eu

if [ $# -ne 2 ]; then
	echo "usage: speakers.sh DATA OUT" >&2
	exit 2
fi
data=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
wavemill=${WAVEMILL:-wavemill}
command -v "$wavemill" >/dev/null || { echo "speakers.sh: $wavemill is not there" >&2; exit 1; }
for speaker in ${SPEAKERS:-george jackson lucas nicolas theo yweweler}; do
	model=$out/$speaker.safetensors
	if [ ! -f "$model" ]; then
		"$wavemill" train --progress off --data "$data" --labels '{label}_{speaker}_{n}' --group speaker --hold-out "speaker=$speaker" \
			--model "${MODEL:-vae}" --steps "${STEPS:-2000}" --keep 0 --overwrite --out "$out/new.safetensors" >"$out/$speaker.log" 2>&1
		mv "$out/new.safetensors" "$model"
	fi
	clips=$out/$speaker
	if [ ! -d "$clips" ]; then
		rm -rf "$out/new"
		"$wavemill" generate --progress off --model "$model" --label all --n "${CLIPS:-205}" --out "$out/new" >/dev/null
		mv "$out/new" "$clips"
	fi
	echo "$speaker left out"
	MODEL=$model CLIPS=$clips DATA=$data go test ./models/eval -run '^$' -bench '^BenchmarkTrainedOnClips$' -benchtime 1x -timeout 2h |
		grep -E '^(clips|recordings): |clips/recordings'
done
