# The two commands that matter: `make compare` (the main job) and `make test` (every test). Each sets up what it needs.

CARGO ?= cargo
CONTRACT_BUILT := build/contract

.DEFAULT_GOAL := help
.PHONY: help compare test lint contract solidity data train

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

compare: ## Deploy every contract and model on the embedded chain, classify, compare gas: needs cargo only
	$(CARGO) run --release --locked -p inkling -- compare

test: lint ## Every test, formatting and lints, with all the set-up they need
	tools/setup-node.sh
	node contracts-solidity-baseline/build.mjs --check
	eval "$$(tools/setup-wasm.sh)" && node contract/build.mjs --into $(CONTRACT_BUILT)
	$(libtorch) INKLING_BUILT_CONTRACT=$(CURDIR)/$(CONTRACT_BUILT) $(CARGO) test --release --locked --workspace

lint: ## Formatting and lints
	$(CARGO) fmt --check
	$(libtorch) $(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings

contract: ## Build the Stylus program from source into contract/artifacts
	tools/setup-node.sh
	eval "$$(tools/setup-wasm.sh)" && node contract/build.mjs

solidity: ## Compile the Solidity contracts into their artifacts
	tools/setup-node.sh
	node contracts-solidity-baseline/build.mjs

data: ## Fetch the MNIST training set into data/mnist
	tools/setup-data.sh

MODEL ?= mlp-64
train: data ## Train models/$(MODEL).toml again: make train MODEL=mlp-64
	$(libtorch) $(CARGO) run --release --locked -p inkling-trainer -- models/$(MODEL).toml

# Where libtorch is; empty where the build downloads it.
libtorch = LIBTORCH="$$(tools/setup-libtorch.sh)"; if [ -n "$$LIBTORCH" ]; then export LIBTORCH; else unset LIBTORCH; fi; export OMP_NUM_THREADS=1;
