# CGO_ENABLED=0 keeps the binary static: with a C compiler present a plain build
# would link another SQLite driver and libc.
export CGO_ENABLED = 0

.PHONY: demo build test arm64 ulp generate bench bench-go race

demo: ## run the demo: throw-away database, shipped models, one account a role
	go run ./cmd/vitrine demo

build: ## the release binary, bin/vitrine
	go build -trimpath -ldflags '-s -w' -o bin/vitrine ./cmd/vitrine

test: ## every test; browser tests need Chromium in the path
	go vet ./...
	go test ./...

arm64: ## the kernels and the frozen bits of whole models on arm64, as portable code and as assembly (needs qemu-aarch64-static)
	GOOS=linux GOARCH=arm64 go vet ./inference/...
	GOOS=linux GOARCH=arm64 go test -short -exec qemu-aarch64-static ./inference/kernel -sweep=100003
	GOOS=linux GOARCH=arm64 VITRINE_CPU=neon go test -exec qemu-aarch64-static -run FrozenBits ./inference
	GOOS=linux GOARCH=arm64 VITRINE_CPU=generic go test -exec qemu-aarch64-static -run FrozenBits ./inference

ulp: ## worst error of the elementary functions over 2^24 arguments, and that all levels agree there
	go test -v -run ElementaryAccuracy ./inference/kernel -sweep=251

generate: ## templates and assembly from their sources
	go tool templ generate -path views
	go generate ./inference/kernel

bench: build ## every case of the engine on the shipped models; beside its peers too where BENCH_COMPARE, BENCH_PYTHON and BENCH_CKPT name them
	@for c in forward hidden attentions input-x-gradient integrated-gradients occlusion load; do bin/vitrine bench inference/pretrained/sentiment-minilm --case $$c; done
	@for c in forward input-x-gradient integrated-gradients grad-cam load; do bin/vitrine bench inference/pretrained/digits-resnet --case $$c; done
	@for s in 128x768x768 128x768x3072 128x3072x768 1x768x3072 4x768x3072; do echo $$s; bin/vitrine bench --case gemm --shape $$s; done
	@if [ -n "$$BENCH_COMPARE" ]; then go run ./inference/bench -vitrine bin/vitrine -out bin/figures.jsonl -readme inference/README.md; fi

bench-go: ## the Go benchmarks of the kernels, the engine and the policy
	go test -run '^$$' -bench . -benchtime 1s ./inference/... ./policy/...

race: ## the packages that share memory, under the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race ./inference/kernel ./policy/... ./audit/... ./web/db ./web/app
