# make dev starts a cluster to try; make test is what a change has to pass.

# staticcheck is run from its module, pinned, and installed nowhere.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# Packages that no pattern finds, for they stand under testdata.
EXAMPLES := ./testdata/bank ./testdata/chaos

.PHONY: build test race lint bench dev fmt

build:
	go build -o bin/ ./cmd/...

test:
	go test ./...

# The same with the race detector: some five times slower.
race:
	go test -race ./...

lint:
	@unformatted="$$(gofmt -l .)"; if [ -n "$$unformatted" ]; then echo "run make fmt, for these are not formatted:"; echo "$$unformatted"; exit 1; fi
	go vet ./... $(EXAMPLES)
	go run $(STATICCHECK) ./... $(EXAMPLES)

# Benchmarks of the parts; cmd/bench measures whole clusters.
bench:
	go test -run '^$$' -bench . -benchmem ./...

dev: build
	bin/lockstep dev

fmt:
	gofmt -w .
