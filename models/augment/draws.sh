#!/bin/sh
# What clips of a model that has few recordings are worth, over random draws of these recordings: each draw trains a model
# and proves its clips with wavemill topup, against the same classifier with tuned augmentation and without clips.
#
#	draws.sh DATA OUT
#
# OUT gets a folder for each draw with the recordings, the model and topup.json; what a draw has already is not made again.
# A line for each draw, and the mean, go to standard output. The environment has the rest:
#
#	FEW     recordings of a label in a draw (5)
#	DRAWS   draws to make, such as "1 2 3" (1 2 3)
#	TEST    extended regular expression: recordings whose path below DATA matches it are tested on; none of them is drawn.
#	        Empty: all recordings of the drawn labels that are not in the draw.
#	NEW     extended regular expression for the paths of one label: only it is drawn. A base model learns from all other
#	        recordings, and each draw starts from it. Empty: all labels are drawn.
#	UNLABELLED  not empty: each training gets the recordings that are neither drawn nor tested on as --unlabelled; needs TEST
#	LABELS  where labels come from, as for wavemill train --labels (prefix)
#	MODEL   architecture (vae)
#	STEPS   steps of each draw's training (1000); with NEW, BASE those of the base (1300)
#	PROOF   steps of each classifier of the proofs, which therefore have no limit of time: the figures do not depend on the machine (1500)
#	TO      recordings and clips of a label after topping up (FEW + 200)
#	WAVEMILL  the binary (wavemill on the PATH)
#
# The draw is by digests of its number and the paths: the same everywhere.
set -eu

if [ $# -ne 2 ]; then
	echo "usage: draws.sh DATA OUT" >&2
	exit 2
fi
data=$1
out=$2
few=${FEW:-5}
labels=${LABELS:-prefix}
wavemill=${WAVEMILL:-wavemill}
command -v "$wavemill" >/dev/null || { echo "draws.sh: $wavemill is not there" >&2; exit 1; }

# A label is the folder of a recording, or of a flat folder the first part of its name.
label_of() { case $1 in */*) echo "${1%%/*}" ;; *) echo "${1%%_*}" ;; esac; }

# matching EXPRESSION and others EXPRESSION filter paths; an empty expression matches nothing.
matching() { if [ -n "$1" ]; then grep -E -- "$1" || true; else :; fi; }
others() { if [ -n "$1" ]; then grep -Ev -- "$1" || true; else cat; fi; }

# place FOLDER copies the recordings whose paths come in to FOLDER.
place() {
	while read -r path; do
		mkdir -p "$1/$(dirname "$path")"
		cp "$data/$path" "$1/$path"
	done
}

# first N keeps the N first paths of each label, in the order of the digests of draw $2.
first() {
	while read -r path; do
		echo "$(label_of "$path") $(printf '%s/%s' "$2" "$path" | sha256sum | cut -c1-16) $path"
	done | sort | awk -v n="$1" '{ if (++seen[$1] <= n) { sub(/^[^ ]* [^ ]* /, ""); print } }'
}

if [ -n "${UNLABELLED:-}" ] && { [ -z "${TEST:-}" ] || [ -n "${NEW:-}" ]; }; then
	echo "draws.sh: UNLABELLED needs TEST, which leaves recordings to learn from, and no NEW" >&2
	exit 2
fi

mkdir -p "$out"
(cd "$data" && find . -type f -name '*.wav' | sed 's|^\./||' | sort) >"$out/all.txt"
matching "${TEST:-}" <"$out/all.txt" >"$out/test.txt"
others "${TEST:-}" <"$out/all.txt" >"$out/pool.txt"
base=
known=
model="--model ${MODEL:-vae}"
if [ -n "${NEW:-}" ]; then
	known=$out/known
	model= # that of the base
	if [ ! -d "$known" ]; then
		others "$NEW" <"$out/pool.txt" | place "$known"
	fi
	base=$out/base.safetensors
	if [ ! -f "$base" ]; then
		"$wavemill" train --progress off --data "$known" --labels "$labels" --model "${MODEL:-vae}" --steps "${BASE:-1300}" --out "$base" >"$out/base.log" 2>&1
	fi
	matching "$NEW" <"$out/pool.txt" >"$out/drawn-from.txt"
else
	cp "$out/pool.txt" "$out/drawn-from.txt"
fi

for draw in ${DRAWS:-1 2 3}; do
	d=$out/$draw
	if [ ! -f "$d/model.safetensors" ]; then
		rm -rf "$d"
		mkdir -p "$d"
		first "$few" "$draw" <"$out/drawn-from.txt" >"$d/few.txt"
		place "$d/few" <"$d/few.txt"
		if [ -n "${TEST:-}" ]; then
			# Of a new label only its own recordings are tested on.
			if [ -n "${NEW:-}" ]; then matching "$NEW" <"$out/test.txt"; else cat "$out/test.txt"; fi | place "$d/test"
		else
			grep -Fxv -f "$d/few.txt" "$out/drawn-from.txt" | place "$d/test"
		fi
		if [ -n "${UNLABELLED:-}" ]; then
			grep -Fxv -f "$d/few.txt" "$out/pool.txt" | place "$d/unlabelled"
		fi
		"$wavemill" train --progress off --data "$d/few" ${UNLABELLED:+--unlabelled "$d/unlabelled"} ${known:+--data "$known" --init "$base"} --labels "$labels" $model \
			--steps "${STEPS:-1000}" --seed "$draw" --out "$d/new.safetensors" >"$d/train.log" 2>&1
		mv "$d/new.safetensors" "$d/model.safetensors"
	fi
	if [ ! -f "$d/more/topup.json" ]; then
		"$wavemill" topup --progress off --data "$d/few" ${known:+--data "$known"} --labels "$labels" --model "$d/model.safetensors" \
			--to "${TO:-$((few + 200))}" --seed "$draw" --test "$d/test" --proof-steps "${PROOF:-1500}" --overwrite --out "$d/more" >"$d/topup.log" 2>&1
	fi
done

# Accuracies with tuned augmentation, without and with clips; the share of the errors that is gone; the points gained and their
# interval; the verdict.
field() { grep -o "\"$2\":[0-9.-][0-9.-]*" "$1" | head -n 1 | cut -d : -f 2; }
printf 'draw\taugmented\twith clips\terrors gone\tpoints\tverdict\n'
for draw in ${DRAWS:-1 2 3}; do
	tr -d ' \n' <"$out/$draw/more/topup.json" >"$out/$draw/proof.txt"
	printf '%s\t%s\t%s\t%s\t%s\n' "$draw" "$(field "$out/$draw/proof.txt" real_only)" "$(field "$out/$draw/proof.txt" with_synthetic)" \
		"$(field "$out/$draw/proof.txt" gain_points)" "$(grep '^proof' "$out/$draw/topup.log")"
done | awk -F '\t' '{ gone = (1 - $2 > 0) ? ($3 - $2) / (1 - $2) : 0; a += $2; b += $3; n++
	printf "%s\t%.3f\t%.3f\t%.0f %%\t%+.1f\t%s\n", $1, $2, $3, 100 * gone, $4, $5 }
	END { if (n) printf "mean\t%.3f\t%.3f\t%.0f %%\t%+.1f\n", a / n, b / n, 100 * (b - a) / (n - a), 100 * (b - a) / n }'
