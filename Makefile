# The tests find out by themselves what is missing. "make test" installs it where it can, and lets nothing be skipped.

GO   ?= go
TAGS := nomsgpack
# -buildvcs=false: a build needs no git.
GOFLAGS += -buildvcs=false
export GOFLAGS

# A new version has its folder's name in server/chromium_axe_test.go too. The checksum is "npm view axe-core
# dist.integrity" in hexadecimal digits.
AXE_VERSION := 4.14.1
AXE_SHA512  := 1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b734f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5
AXE := .cache/axe-core-$(AXE_VERSION)
EXAMPLES := .cache/examples

.PHONY: build test check bench pages image clean

build:
	CGO_ENABLED=0 $(GO) build -trimpath -tags $(TAGS) -ldflags '-s -w' -o safeconduct ./cmd/safeconduct

test: needs
	SAFECONDUCT_TEST_REQUIRE_ALL=1 $(GO) test -race -tags $(TAGS) -timeout 15m ./...

# What the tests need beside Go. As root on Debian it is installed, elsewhere it is named.
.PHONY: needs
needs: programs $(AXE)/axe.min.js needs-examples

.PHONY: programs
programs:
	@missing=""; \
	command -v redis-server >/dev/null || missing="$$missing redis-server"; \
	command -v chromium >/dev/null || command -v chromium-browser >/dev/null || missing="$$missing chromium"; \
	command -v node >/dev/null || missing="$$missing nodejs"; \
	command -v npm >/dev/null || [ -f $(AXE)/axe.min.js -a -f $(EXAMPLES)/node/.installed ] || missing="$$missing npm"; \
	command -v caddy >/dev/null || missing="$$missing caddy"; \
	command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || missing="$$missing nginx"; \
	python3 -c 'import ensurepip, venv' 2>/dev/null || [ -f $(EXAMPLES)/venv/.installed ] || missing="$$missing python3-venv"; \
	command -v curl >/dev/null || missing="$$missing curl"; \
	command -v gcc >/dev/null || missing="$$missing gcc"; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; \
	  else \
	    echo "the tests need:$$missing. On Debian: apt-get install$$missing" >&2; exit 1; \
	  fi; \
	fi

# What looks for barriers in the pages. The tests read it from this folder and nothing else of npm's.
$(AXE)/axe.min.js: | programs
	@rm -rf $(AXE) && mkdir -p $(AXE)
	@cd $(AXE) && npm pack --silent axe-core@$(AXE_VERSION) >/dev/null && \
	  echo "$(AXE_SHA512)  axe-core-$(AXE_VERSION).tgz" | sha512sum --check --quiet && \
	  tar -xzf axe-core-$(AXE_VERSION).tgz --strip-components=1 package/axe.min.js package/LICENSE && rm axe-core-$(AXE_VERSION).tgz

# What the examples in other languages need. Nothing of it is linked into Safeconduct, and their tests use no network.
.PHONY: needs-examples
needs-examples: $(EXAMPLES)/venv/.installed $(EXAMPLES)/node/.installed

$(EXAMPLES)/venv/.installed: examples/requirements.txt | programs
	@rm -rf $(EXAMPLES)/venv && python3 -m venv $(EXAMPLES)/venv
	@$(EXAMPLES)/venv/bin/pip install --quiet --disable-pip-version-check -r examples/requirements.txt && touch $@

$(EXAMPLES)/node/.installed: examples/express/package.json examples/express/package-lock.json | programs
	@rm -rf $(EXAMPLES)/node && mkdir -p $(EXAMPLES)/node
	@cp examples/express/package.json examples/express/package-lock.json $(EXAMPLES)/node
	@cd $(EXAMPLES)/node && npm ci --silent --no-audit --no-fund --ignore-scripts && touch .installed

# Everything that is checked without running: format, vet, static analysis, known vulnerabilities.
check:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "gofmt would change: $$unformatted" >&2; exit 1; }
	$(GO) vet -tags $(TAGS) ./...
	$(GO) tool staticcheck -tags $(TAGS) ./...
	@if out=$$($(GO) tool govulncheck -tags $(TAGS) ./... 2>&1); then echo "govulncheck: nothing known"; \
	  elif echo "$$out" | grep -q 'fetching vulnerabilities\|dial tcp\|no such host\|unexpected response\|connection refused'; then echo "govulncheck: its data cannot be reached from here, not checked"; \
	  else echo "$$out" >&2; exit 1; fi

# Speed, next to floors in the same run. The figures in docs/performance.md come from here.
bench:
	@command -v redis-server >/dev/null || $(MAKE) programs
	$(GO) run -tags $(TAGS) ./bench -out docs/performance.md

# What Safeconduct does when something goes wrong, each failure under load; docs/reliability.md has the figures. The short
# form takes about three minutes; LONG=1 is for a free machine and an hour, ONLY=F03,F12 picks some.
.PHONY: faults
faults:
	@command -v redis-server >/dev/null || $(MAKE) programs
	$(GO) run -tags $(TAGS) ./faults $(if $(LONG),-long) $(if $(ONLY),-only $(ONLY))

# The pictures of the pages, as people see them.
pages: needs
	mkdir -p docs/pages
	SAFECONDUCT_TEST_REQUIRE_ALL=1 SAFECONDUCT_TEST_SCREENSHOTS=$(CURDIR)/docs/pages $(GO) test -tags $(TAGS) -count=1 -run '^TestScreenshots$$' ./server

image:
	docker build -t safeconduct .

clean:
	rm -rf safeconduct safeconduct-dev
