# make dev starts a cluster to try; make test is what a change has to pass.

# staticcheck is run from its module, pinned, and installed nowhere.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# Packages that no pattern finds, for they stand under testdata.
EXAMPLES := ./testdata/bank ./testdata/call ./testdata/chaos ./testdata/jobs ./testdata/ports ./testdata/ratelimit ./testdata/reservations ./testdata/shop

.PHONY: build test race golden golden-arm64 chaos network day model witnesses lint bench bench-parts dev fmt

build:
	go build -o bin/ ./cmd/...

test:
	go test ./...

# The same with the race detector: some five times slower, the golden logs some twenty.
race:
	go test -race -timeout 30m ./...

# Makes the golden logs anew, for a format or an outcome that is meant to change; the
# difference of testdata/golden/*.txt shows what did.
golden:
	go test ./engine/golden -count=1 -timeout 30m -run '^TestReplay$$' -rewrite
	go test ./engine/golden -count=1

# The golden logs on another processor, emulated by Debian's qemu-user: some forty
# times slower, so that .ci/run goes to the first checkpoint only (GOLDEN="-until 1").
golden-arm64:
	GOARCH=arm64 CGO_ENABLED=0 go test -c -o bin/golden-arm64.test ./engine/golden
	cd engine/golden && qemu-aarch64 ../../bin/golden-arm64.test -test.timeout 1h -test.run '^TestReplay$$' -ways 1 $(GOLDEN)

# A million transfers while processes are killed, each accounted for: minutes.
chaos: build
	bin/bench chaos --transfers 1000000

# Links between nodes cut, lossy and slow, under load: needs root (or a user
# namespace), and some minutes.
network: build
	bin/bench network
	bin/bench network --profile wan

# A day in the life of five nodes, with a client that works throughout: minutes.
day: build
	bin/bench day

# A million random transactions, executed by the engine and by a model written
# apart from it: some twenty minutes.
model:
	go test ./engine/model -run TestTheEngineAgreesWithTheModel -v -timeout 3h -rapid.nofailfile -model.transactions 1000000

# Groups that are killed down to their last copy, and come back, three hundred
# times: some half an hour.
witnesses:
	go test ./cmd/lockstep -count=1 -run TestKilledDownToTheLastCopyUnderLoad -v -timeout 3h -lastcopy.rounds 50
	go test ./txlog -count=1 -run TestWhatWasAcknowledgedOutlivesCopiesDownToTheLast -v -timeout 3h -trial.rounds 300

lint:
	@unformatted="$$(gofmt -l .)"; if [ -n "$$unformatted" ]; then echo "run make fmt, for these are not formatted:"; echo "$$unformatted"; exit 1; fi
	go vet ./... $(EXAMPLES)
	go run $(STATICCHECK) ./... $(EXAMPLES)

# Whole clusters, in the short form; bench-parts has the benchmarks of the parts.
bench: build
	bin/bench throughput --connections 64 --duration 10s
	bin/bench throughput --connections 64 --batch 100 --duration 10s
	bin/bench failover --fault kill --repeat 5 --connections 16
	bin/bench schema --rows 100000 --connections 64

bench-parts:
	go test -run '^$$' -bench . -benchmem ./...

dev: build
	bin/lockstep dev

fmt:
	gofmt -w .
