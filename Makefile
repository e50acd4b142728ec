# CGO_ENABLED=0 keeps the binary static: with a C compiler present a plain build
# would link another SQLite driver and libc.
export CGO_ENABLED = 0

.PHONY: demo build test generate bench race

demo: ## run the demo: throw-away database, shipped models, one account a role
	go run ./cmd/vitrine demo

build: ## the release binary, bin/vitrine
	go build -trimpath -ldflags '-s -w' -o bin/vitrine ./cmd/vitrine

test: ## every test; browser tests need Chromium in the path
	go vet ./...
	go test ./...

generate: ## templates and assembly from their sources
	go tool templ generate -path views
	go generate ./inference/kernel

bench: ## benchmarks of the engine and the policy
	go test -run '^$$' -bench . -benchtime 1s ./inference/... ./policy/...

race: ## the packages that share memory, under the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race ./inference/kernel ./policy/... ./audit/... ./web/db ./web/app
