# The two commands that matter: `make compare` (the main job) and `make test` (every test). Each sets up what it needs.

CARGO ?= cargo
CONTRACT_BUILT := build/contract
EXAMPLES_BUILT := build/examples
EXAMPLES := inkling-test-token,inkling-test-relay,inkling-test-signature

.DEFAULT_GOAL := help
.PHONY: help compare reports bench test miri lint contract data train

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

compare: ## Deploy every contract and model on the embedded chain, classify, compare gas
	$(CARGO) run --release --locked -p inkling -- compare

reports: compare ## Write every report again: also exactness on all images, evaluations and profiles
	$(CARGO) run --release --locked -p inkling -- exactness
	for model in $(basename $(notdir $(wildcard models/*.safetensors))); do \
		$(CARGO) run --release --locked -p inkling -- evaluate --model $$model --samples 10000 && \
		$(CARGO) run --release --locked -p inkling -- profile --model $$model || exit 1; done

bench: ## Images a second of the native kernels and of the reference, on one core: reports/native.md
	$(CARGO) bench --locked -p inkling-network --bench forward

test: lint ## Every test, formatting and lints, with all the set-up they need
	tools/setup-node.sh
	tools/setup-python.sh
	node contracts-solidity-baseline/build.mjs --check
	$(wasm) && node contract/build.mjs --into $(CONTRACT_BUILT)
	$(wasm) && node contract/build.mjs --into $(EXAMPLES_BUILT) --packages $(EXAMPLES)
	$(libtorch) && export INKLING_WASM="$$(tools/setup-wasm.sh)" INKLING_BUILT_CONTRACT=$(CURDIR)/$(CONTRACT_BUILT) \
		INKLING_BUILT_EXAMPLES=$(CURDIR)/$(EXAMPLES_BUILT) && $(CARGO) test --release --locked --workspace

miri: ## The kernels' tests under Miri, which sees undefined behaviour: needs rustup
	rustup toolchain install nightly --profile minimal --component miri --component rust-src --no-self-update
	MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test --locked -p inkling-network --lib kernel

lint: ## Formatting and lints
	@$(CARGO) fmt --version >/dev/null 2>&1 && $(CARGO) clippy --version >/dev/null 2>&1 || \
		tools/limit 60 rustup component add rustfmt clippy
	$(CARGO) fmt --check
	$(libtorch) && $(CARGO) clippy --release --locked --workspace --all-targets --features inkling/ledger -- -D warnings
	for feature in code profile export-abi contract-client-gen; do $(CARGO) clippy --release --locked -p inkling-contract --features $$feature -- -D warnings || exit 1; done

contract: ## Build the contracts' artifacts from source: the Stylus programs and the Solidity bytecode
	tools/setup-node.sh
	node contracts-solidity-baseline/build.mjs
	$(CARGO) run --release --locked -p inkling -- bake
	$(wasm) && node contract/build.mjs

data: ## Fetch the MNIST training set into data/mnist
	tools/setup-data.sh

MODEL ?= small
train: data ## Train a model again: make train MODEL=small
	$(libtorch) && $(CARGO) run --release --locked -p inkling-trainer -- models/$(MODEL).toml

# The compiler and linker for WASM.
wasm = wasm="$$(tools/setup-wasm.sh)" && eval "$$wasm"

# Where libtorch is; unset where the build downloads it. More than one OpenMP thread spins on a busy machine.
libtorch = export OMP_NUM_THREADS=1 LIBTORCH="$$(tools/setup-libtorch.sh)" && { [ -n "$$LIBTORCH" ] || unset LIBTORCH; }
