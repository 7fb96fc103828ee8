#!/bin/sh
# Ten words spoken by sixteen voices of espeak-ng, each at three speeds and three pitches: 1,440 WAVs of 16 kHz named
# <word>_<voice>_<words a minute>_<pitch>.wav, the words of docs/quality.md. The same espeak-ng speaks the same bytes.
#
#	words.sh DIR [WAVEMILL]
#
# DIR must not be there yet. WAVEMILL is the binary that resamples (wavemill on the PATH, if it is left out).
set -eu

words="yes no up down left right on off stop go"
# An accent of English and a variant of the voice. Whispering, croaking and robots are left out.
voices="en-us+m1 en-us+m3 en-us+f2 en-us+f4 en-us+m7 en-us+klatt2
en+m2 en+f1 en+f3 en+m5 en-gb-scotland+m4 en-gb-scotland+f5
en-gb-x-rp+m6 en-gb-x-rp+f2 en-029+m8 en-029+f1"
speeds="130 165 200"
pitches="35 50 65"

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
	echo "usage: words.sh DIR [WAVEMILL]" >&2
	exit 2
fi
out=$1
wavemill=${2:-wavemill}
if [ -e "$out" ]; then
	echo "words.sh: $out is there already; remove it or name another folder" >&2
	exit 1
fi
for tool in espeak-ng "$wavemill"; do
	command -v "$tool" >/dev/null || { echo "words.sh: $tool is not installed" >&2; exit 1; }
done

spoken=$out.spoken # by espeak-ng, at its own 22,050 Hz
rm -rf "$spoken"
mkdir -p "$spoken"
trap 'rm -rf "$spoken"' EXIT
for voice in $voices; do
	# - rather than _, which separates the parts of the name.
	name=$(printf %s "$voice" | tr + -)
	for word in $words; do
		for speed in $speeds; do
			for pitch in $pitches; do
				espeak-ng -v "$voice" -s "$speed" -p "$pitch" -w "$spoken/${word}_${name}_${speed}_$pitch.wav" "$word"
			done
		done
	done
done
# A variant that espeak-ng does not know leaves the accent's plain voice, without a word.
twins=$(cd "$spoken" && cksum ./*.wav | awk 'seen[$1, $2] { print seen[$1, $2], $3 } { seen[$1, $2] = $3 }' | head -n 3)
if [ -n "$twins" ]; then
	printf 'words.sh: voices that espeak-ng does not tell apart:\n%s\n' "$twins" >&2
	exit 1
fi
"$wavemill" convert "$spoken" --to wav --rate 16000 --out "$out"
# The label is in the name; what convert keeps for going on is of no use here.
rm -f "$out/convert.json" "$out/labels.csv" "$out/skipped.jsonl"
echo "$out: $(find "$out" -name '*.wav' | wc -l) recordings" >&2
