# qamd: build, try, test. `make help` lists the targets.
PREFIX  ?= /usr/local
DESTDIR ?=
CARGO   ?= cargo

BINARIES := qamd qamd-ctp-worker qamd-ws-frontend

.PHONY: help all release debug build demo test bench lint fmt deny docs install clean check-deps ctp-library
.DEFAULT_GOAL := help

help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

check-deps: ## Say which tools are missing
	@scripts/check-deps.sh

all: release ## Build everything, optimised

release: ## Build everything, optimised (the same)
	@scripts/check-deps.sh
	$(CARGO) build --release --workspace --exclude qamd-tests

debug: ## Build everything for debugging
	@scripts/check-deps.sh
	$(CARGO) build --workspace

build: debug

demo: ## Start a fleet of three brokers on the simulated library and show ticks
	@scripts/check-deps.sh --install
	@$(CARGO) build --release --workspace --exclude qamd-tests
	@exec $${CARGO_TARGET_DIR:-target}/release/qamd demo $(DEMO_ARGS)

test: ## Install what is missing, build, run every test
	@scripts/check-deps.sh --install test
	$(CARGO) build --workspace
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-4} $(CARGO) test --workspace --no-fail-fast

bench: ## Measure: callback to client, a whole fleet, planning, segments
	@scripts/check-deps.sh
	$(CARGO) build --release --workspace
	$(CARGO) bench -p qamd-tests $(BENCH_ARGS)

lint: fmt deny ## Formatting, clippy, dependencies, documentation; warnings are errors
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps

fmt:
	$(CARGO) fmt --all --check

deny:
	@command -v cargo-deny >/dev/null || $(CARGO) install cargo-deny --locked --no-default-features
	$(CARGO) deny --offline --all-features check bans licenses sources
	@scripts/advisories.sh

docs: ## Build the documentation of the code
	$(CARGO) doc --workspace --no-deps
	@echo "open target/doc/shm_layout/index.html"

ctp-library: ## Bring the genuine CTP library into libs/ (from PyPI, checksum verified)
	@scripts/check-deps.sh --install test
	@scripts/ctp-library.sh

install: release ## Install into PREFIX (default /usr/local)
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,bin lib/qamd include share/qamd/samples)
	install -m 755 $(addprefix target/release/,$(BINARIES)) $(DESTDIR)$(PREFIX)/bin/
	install -m 755 target/release/libqamd_ctp_sim.so $(DESTDIR)$(PREFIX)/lib/qamd/
	install -m 755 target/release/libqamd_reader.so $(DESTDIR)$(PREFIX)/lib/
	install -m 644 shm-layout/include/*.h $(DESTDIR)$(PREFIX)/include/
	install -m 644 $(wildcard samples/*.c samples/*.cpp samples/*.py) $(DESTDIR)$(PREFIX)/share/qamd/samples/
	install -m 644 README.md config/* systemd/* $(DESTDIR)$(PREFIX)/share/qamd/

clean: ## Remove what was built
	$(CARGO) clean
