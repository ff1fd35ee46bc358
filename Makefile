# Every target installs what it needs (on Debian and Ubuntu by apt; elsewhere it prints the line to run).

SHELL := bash
CACHE := $(or $(ATTRIBUTARY_CACHE),$(HOME)/.cache/attributary)
DENY := $(CACHE)/tools/bin/cargo-deny
CARGO := cargo
NEED := deploy/need.sh
MEASURED := ingest attribution reports postbacks attributary bench
FAULTS_NEED := build cargo java maven redis-server curl

.PHONY: help demo test check fmt lint deny e2e faults faults-short bench instructions compose-test docs-check clean

help: ## Lists the targets.
	@grep -hE '^[a-z0-9-]+:.*## ' Makefile | sed -E 's/^([a-z0-9-]+):.*## /  make \1\t/' | expand -t 22

demo: ## Kafka, Redis, every service and a traffic simulator, with a live view. Ctrl-C leaves nothing behind. ARGS=... for options.
	@$(NEED) build cargo java maven redis-server
	@deploy/kafka/kafka.sh fetch >/dev/null
	@$(CARGO) build --release --locked --bins
	@target/release/attributary demo $(ARGS)

test: check deny instructions e2e faults-short ## Everything: lint, unit and property tests, instructions a record, the end-to-end tests on a real Kafka and Redis, and the worst faults.

check: lint ## The part that needs neither Java nor servers.
	$(CARGO) test --workspace --locked --exclude e2e --exclude ledger --exclude testkit

lint:
	@$(NEED) build cargo
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

fmt: ## Formats the code.
	$(CARGO) fmt --all

deny: $(DENY) ## Licences, sources, and the arrows of the design: who may use which crate.
	$(CARGO) metadata --locked --format-version 1 >/dev/null
	$(DENY) check --hide-inclusion-graph bans licenses sources

$(DENY):
	@$(NEED) build cargo
	$(CARGO) install cargo-deny --version 0.20.2 --locked --root $(CACHE)/tools

e2e: ## The end-to-end tests on a real Kafka and Redis, with kill -9.
	@$(NEED) build cargo java maven redis-server kcat curl openssl python-kafka
	@deploy/kafka/kafka.sh fetch >/dev/null
	$(CARGO) build --workspace --bins --locked
	$(CARGO) test -p ledger -p testkit -p e2e --locked -- --test-threads=1

faults: ## The fault matrix; writes tests/faults/RESULTS.md. ROW=24 SEED=7 repeats one; SEEDS=3 HEART_SEEDS=20 JOBS=1; RESUME=true goes on.
	@$(NEED) $(FAULTS_NEED)
	@deploy/kafka/kafka.sh fetch >/dev/null
	$(CARGO) build --workspace --bins --locked
	target/debug/faults $(if $(ROW)$(SEED),,--out tests/faults/RESULTS.md) $(ARGS)

faults-short: ## The faults that every change must survive: kill -9 of each service, a zombie, a storm, Redis killed and torn, poison.
	@$(NEED) $(FAULTS_NEED)
	@deploy/kafka/kafka.sh fetch >/dev/null
	$(CARGO) build --workspace --bins --locked
	target/debug/faults --short

bench: ## What an event costs reports, its floor and its peers (PEERS=python,go ROUNDS=3 ...); JOB=ingest, attribution, rules, price for more.
	@$(NEED) build cargo java maven redis-server $(if $(filter instructions,$(JOB)),valgrind)
	@deploy/kafka/kafka.sh fetch >/dev/null
	$(CARGO) build --release --locked $(foreach package,$(MEASURED),-p $(package))
	target/release/bench $(BENCH) $(ARGS)

# JOB, PEERS and the like are options of the bench in capitals: see `target/release/bench --help`.
BENCH = $(foreach option,JOB PEERS ROUNDS EVENTS SEED BYTES MALFORMED ZIPF KEYS OUT,\
  $(if $($(option)),--$(shell echo $(option) | tr A-Z a-z) $($(option))))

compose-test: ## docker compose up for real, simulate and verify against it.
	deploy/compose-test.sh

instructions: ## What a record takes of reports and of decide, held to bench/instructions.json within 3 %. UPDATE=true writes it anew.
	@$(NEED) build cargo valgrind
	$(CARGO) build --workspace --locked --bin bench
	target/debug/bench gate $(if $(UPDATE),--update)

clean: ## Removes what was built here.
	$(CARGO) clean
