# The tests find out by themselves what is missing. "make test" installs it where it can, and lets nothing be skipped.

GO   ?= go
TAGS := nomsgpack
# -buildvcs=false: a build needs no git.
GOFLAGS += -buildvcs=false
export GOFLAGS

.PHONY: build test check bench image clean

build:
	CGO_ENABLED=0 $(GO) build -trimpath -tags $(TAGS) -ldflags '-s -w' -o safeconduct ./cmd/safeconduct

test: needs
	SAFECONDUCT_TEST_REQUIRE_ALL=1 $(GO) test -race -tags $(TAGS) -timeout 15m ./...

# What the tests need beside Go. As root on Debian it is installed, elsewhere it is named.
.PHONY: needs
needs:
	@missing=""; \
	command -v redis-server >/dev/null || missing="$$missing redis-server"; \
	command -v curl >/dev/null || missing="$$missing curl"; \
	command -v gcc >/dev/null || missing="$$missing gcc"; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; \
	  else \
	    echo "the tests need:$$missing. On Debian: apt-get install$$missing" >&2; exit 1; \
	  fi; \
	fi

# Everything that is checked without running: format, vet, static analysis, known vulnerabilities.
check:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "gofmt would change: $$unformatted" >&2; exit 1; }
	$(GO) vet -tags $(TAGS) ./...
	$(GO) tool staticcheck -tags $(TAGS) ./...
	@if out=$$($(GO) tool govulncheck -tags $(TAGS) ./... 2>&1); then echo "govulncheck: nothing known"; \
	  elif echo "$$out" | grep -q 'fetching vulnerabilities\|dial tcp\|no such host\|unexpected response\|connection refused'; then echo "govulncheck: its data cannot be reached from here, not checked"; \
	  else echo "$$out" >&2; exit 1; fi

# Speed, next to floors in the same run. The figures in docs/performance.md come from here.
bench: needs
	$(GO) run -tags $(TAGS) ./bench

image:
	docker build -t safeconduct .

clean:
	rm -rf safeconduct safeconduct-dev
