# Postern. Two commands do everything: "go run ./cmd/postern demo" and "make test".
GO ?= go
FUZZTIME ?= 20s
PKG ?= ./...

.PHONY: build test lint bench fuzz tools

build: ## the binaries, in bin/
	$(GO) build -trimpath -o bin/ ./cmd/...

tools: ## what the tests need and the machine lacks (Debian; needs root or sudo)
	.ci/tools

lint: ## format, vet, house rules
	@unformatted=$$(gofmt -l cmd smtpd pickup store); if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) test ./cmd/internal/house

# The race detector looks at everything but the inside of Argon2id: it would double the time of every password, and what
# is ours only reaches that code through blake2b, where it is seen. By GOFLAGS it counts for programs that tests build, too.
UNSEEN = -gcflags=golang.org/x/crypto/argon2=-race=false

test: tools lint ## everything, under the race detector, shuffled
	GOFLAGS="$$($(GO) env GOFLAGS) $(UNSEEN)" $(GO) test -race -shuffle=on -timeout 30m $(PKG)

bench: ## benchmarks; figures belong into docs/performance.md
	$(GO) test -run '^$$' -bench . -benchmem $(PKG)

fuzz: ## every fuzz target for FUZZTIME
	.ci/fuzz $(FUZZTIME)
