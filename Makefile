# What a developer runs. `make check` is what the gate runs.
GOBIN := $(shell go env GOPATH)/bin
FUZZTIME ?= 60s
PKG ?= ./...
T ?= .
# The peers of the benchmarks run on this Python: it needs torch, torchaudio, scipy and soundfile.
PYTHON ?= python3
PEERS ?= ../shared/peers
DATA ?= ../shared/data/fsdd

.PHONY: check test race bench bench-audio bench-generate bench-train quality few data-words data-demo data-drums data-samples data-strokes data-acoustic quality-domains fuzz demo image lint fmt test-endless test-whole soak-serve bench-serve test-faults test-many test-apiserver test-studio test-upgrade

check:
	.ci/run

test:
	go test $(if $(filter-out .,$(T)),-run $(T)) $(PKG)

# An hour of endless audio through the operator segment, at constant memory.
test-endless:
	WAVEMILL_ENDLESS=1 go test -run TestEndless -v -timeout 30m ./operators/segment

# Tests of which `make check` runs a part, whole: the classifier of evaluations on all ten spoken digits instead of three, and copies of
# many spoken digits and synthetic sounds, from which the figures of package fingerprint are.
test-whole:
	WAVEMILL_WHOLE=1 WAVEMILL_ORACLES_REQUIRED=1 go test -run '^Test(ClassifierOnSpokenDigits|FSDD|Long|Synthetic)$$' -v -count 1 -timeout 1h ./models/eval ./audio/fingerprint

# The race detector in the packages where goroutines meet.
race:
	.ci/race

# A pipeline through faults, on one server and on a cluster of three; see docs/reliability.md. FAULT_CLIPS recordings, FAULT_KILLS
# killed operators and FAULT_TIME seconds at least; FAULT_PIPELINE is a pipeline file (default: the standard pipeline).
FAULT_CLIPS ?= 10000
FAULT_KILLS ?= 50
FAULT_TIME ?= 120
FAULT_SEED ?= 1
FAULT_PIPELINE ?=
test-faults:
	FAULT_CLIPS=$(FAULT_CLIPS) FAULT_KILLS=$(FAULT_KILLS) FAULT_TIME=$(FAULT_TIME) FAULT_SEED=$(FAULT_SEED) FAULT_PIPELINE=$(abspath $(FAULT_PIPELINE)) \
		go test ./cmd/wavemill -run '^TestFaultsOn' -count 1 -v -timeout 3h

# Many small messages through one stage, with the memory of the process.
MESSAGES ?= 100000
test-many:
	MESSAGES=$(MESSAGES) go test ./pipeline -run '^TestManyMessages' -count 1 -v -timeout 1h

# The chart on a real API server: kube-apiserver and etcd are built from their Go modules, some minutes the first time.
test-apiserver:
	cd charts/test/apiserver && CGO_ENABLED=0 go test ./... -count 1 -v -timeout 1h

# A release of chart 0.1 with the program of that version, built from its commit, is upgraded under load. The tests of the chart run
# the same with today's program in its place.
FORMER ?= 2c7023d
test-upgrade:
	dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && git archive $(FORMER) | tar x -C "$$dir" && \
		(cd "$$dir" && CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$$dir/former" ./cmd/wavemill) && \
		cd charts/test && WAVEMILL_FORMER="$$dir/former" go test . -run '^TestUpgradeFromFormerChart$$' -count 1 -v -timeout 1h

lint:
	$(GOBIN)/golangci-lint run ./...

fmt:
	$(GOBIN)/golangci-lint fmt ./...

# Every fuzz target for FUZZTIME, one after the other; seeds lie in testdata/fuzz.
fuzz:
	.ci/fuzz $(FUZZTIME)

# Serving for SOAK with a request every 200 ms: ten new versions or more of spoken digits, clips with wrong labels, a roll-back,
# the death of a trainer. The log has the figures.
SOAK ?= 15m
soak-serve:
	WAVEMILL_SOAK=$(SOAK) go test ./cmd/wavemill -run '^TestServingSoak$$' -v -count 1 -timeout 3h

# The figures of requests over the bus, by turns with the same clips made without it.
bench-serve:
	go test ./operators/generate -run '^$$' -bench '^BenchmarkServing$$' -benchtime 500x

demo:
	go run ./cmd/wavemill demo

# The container image as an OCI layout with bills of materials and provenance; docs/deploy.md. The folder may not be there yet.
IMAGE ?= bin/image
IMAGE_FLAGS ?=
image:
	cd charts/image && go run . -module ../.. -out $(abspath $(IMAGE)) $(IMAGE_FLAGS)

bench:
	go test -run '^$$' -bench . -benchmem $(PKG)

# The training figures of docs/benchmarks.md, ours and PyTorch's turn by turn on an idle machine.
# PYTHONS: every Python with a torch to compare with, the newest first.
PYTHONS ?= $(PYTHON)
bench-train:
	go build -o bin/wavemill ./cmd/wavemill
	$(firstword $(PYTHONS)) models/nn/benchmark/compare.py --wavemill bin/wavemill --peer $(PEERS)/train_torch.py $(addprefix --python ,$(PYTHONS))

# The audio figures of docs/benchmarks.md, ours against torchaudio, SciPy and sox turn by turn on an idle machine.
bench-audio:
	go build -o bin/wavemill ./cmd/wavemill
	$(firstword $(PYTHONS)) audio/benchmark/compare.py --data $(DATA) --peers $(PEERS)

# From a label to a WAV, for every architecture: a network of default size takes as long after two seconds of training as after an hour.
bench-generate:
	go build -o bin/wavemill ./cmd/wavemill
	for arch in vae gan vaegan flow; do bin/wavemill train --data $(DATA) --model $$arch --steps 20 --out bin/bench-$$arch.safetensors --overwrite --progress off || exit 1; done
	bin/wavemill bench generate --model bin/bench-vae.safetensors --model bin/bench-gan.safetensors --model bin/bench-vaegan.safetensors --model bin/bench-flow.safetensors --progress off

# The studio in a browser as make check drives it, with a training of a minute. Pictures of every view go to bin/screenshots.
test-studio:
	WAVEMILL_ORACLES_REQUIRED=1 WAVEMILL_STUDIO_BUDGET=60s WAVEMILL_SCREENSHOTS=$(CURDIR)/bin/screenshots go test ./operators/studio -run TestBrowser -v -timeout 20m

# The tables of docs/quality.md: every architecture, three seeds, BUDGET of training each. Interrupted, it goes on where it was.
BUDGET ?= 10m
SEEDS ?= 3
quality:
	go build -o bin/wavemill ./cmd/wavemill
	bin/wavemill bench quality --data $(DATA) --budget $(BUDGET) --seeds $(SEEDS) --few 0.05 --keep bin/quality-$(BUDGET) --write docs/quality.md --name digits-$(BUDGET)

# The baseline of docs/quality.md: the classifier with tuned augmentation on 1 % and 5 % of the spoken digits, five draws.
POLICY ?= medium
few:
	GOMAXPROCS=1 go test ./models/eval -run '^$$' -bench 'Tuned/recordings/policy=$(POLICY)' -benchtime 1x -timeout 2h

# The other data of docs/quality.md: ten words spoken by sixteen voices of espeak-ng at 16 kHz, and the demo's six
# classes at 22.05 kHz, 250 recordings each. Neither folder may be there yet.
WORDS ?= bin/words
data-words:
	go build -o bin/wavemill ./cmd/wavemill
	audio/dataset/espeak/words.sh $(WORDS) bin/wavemill

DEMO ?= bin/demo
data-demo:
	go build -o bin/wavemill ./cmd/wavemill
	bin/wavemill synth --out $(DEMO) --n 250 --seed 1

# One-shots of the drum kits of Debian's package hydrogen-drumkits, of labels that three kits or more have, the kit as group,
# and samples of its package sonic-pi-samples. Neither folder may be there yet. Read with: --labels '{label}/{kit}_{n}'.
DRUMS ?= bin/drums
KITS ?= /usr/share/hydrogen/data/drumkits
data-drums:
	go run ./audio/dataset/packs -out $(DRUMS) -packs 3 -recordings 15 -without gmrockkit,tr808emulationkit drumkits $(KITS)

# Strokes of drums on which nothing in the front end was chosen, read like the drums: of the kits of three SoundFont files (fluid-soundfont-gm, timgm6mb-soundfont,
# csound-soundfont), of the two kits of hydrogen-data, and of the folders of samples of lmms-common and sonic-pi-samples.
STROKES ?= bin/strokes
SONICPI ?= /usr/share/sonic-pi/samples
SOUNDFONTS ?= $(addprefix /usr/share/sounds/sf2/,FluidR3_GM.sf2 TimGM6mb.sf2 sf_GMbank.sf2)
data-strokes:
	go run ./audio/dataset/packs -out $(STROKES).parts/fonts -longest 12s soundfonts $(SOUNDFONTS)
	go run ./audio/dataset/packs -out $(STROKES).parts/kits drumkits $(KITS)/GMRockKit $(KITS)/TR808EmulationKit
	go run ./audio/dataset/packs -out $(STROKES).parts/named named /usr/share/lmms/samples/drums $(SONICPI)
	mkdir $(STROKES)
	cp -r $(STROKES).parts/*/. $(STROKES)
	rm -r $(STROKES)/tambourine $(STROKES).parts

# Strokes of two acoustic kits at five strengths (Debian's avldrums.lv2-soundfont), on which nothing was chosen either. Some of them are in
# GMRockKit of data-strokes too.
ACOUSTIC ?= bin/acoustic
AVL ?= $(addprefix /usr/share/sounds/sf2/,Black_Pearl_4_LV2.sf2 Red_Zeppelin_4_LV2.sf2)
data-acoustic:
	go run ./audio/dataset/packs -out $(ACOUSTIC) -longest 12s soundfonts $(AVL)

SAMPLES ?= bin/samples
data-samples:
	go run ./audio/dataset/packs -out $(SAMPLES) -recordings 8 -longest 3s prefix $(SONICPI)

# The tables of make quality, sound measures and contact sheets (PNG, beside the checkpoints) for other sounds: drums with
# whole kits held out, samples, words with whole voices held out, the demo's classes, and digits with each speaker left out.
# Everything goes to bin/quality-NAME-BUDGET. Sets that are missing are made from the packages above.
QUICK ?=
QUALITY = bin/wavemill bench quality --model vae,gan,vaegan,flow --budget $(BUDGET) --seeds $(SEEDS) $(if $(QUICK),--quick)
quality-domains:
	go build -o bin/wavemill ./cmd/wavemill
	test -d $(DRUMS) || $(MAKE) data-drums
	test -d $(SAMPLES) || $(MAKE) data-samples
	test -d $(WORDS) || $(MAKE) data-words
	test -d $(DEMO) || $(MAKE) data-demo
	$(QUALITY) --data $(DRUMS) --labels '{label}/{kit}_{n}' --group kit --keep bin/quality-drums-$(BUDGET) > bin/quality-drums-$(BUDGET).md
	$(QUALITY) --data $(SAMPLES) --labels folder --keep bin/quality-samples-$(BUDGET) > bin/quality-samples-$(BUDGET).md
	$(QUALITY) --data $(WORDS) --labels '{label}_{voice}_{speed}_{pitch}' --group voice --keep bin/quality-words-$(BUDGET) > bin/quality-words-$(BUDGET).md
	$(QUALITY) --data $(DEMO) --keep bin/quality-demo-$(BUDGET) > bin/quality-demo-$(BUDGET).md
	$(QUALITY) --data $(DATA) --labels '{label}_{speaker}_{n}' --leave-out speaker --seeds 1 --keep bin/quality-unknown-$(BUDGET) > bin/quality-unknown-$(BUDGET).md
