# The front door. Each target sets up what it needs; `make help` lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup run test lint quick repeating stand-ins engines what-only-computes lint-then-quick simulate bench mutants docs up emulator picture parameters deploy package sam-example cdk terraform lock clean build-Provider build-Guard build-HookFunction build-TerraformFunction

LIST = awk -F ':.* $(1) ' '/^[a-z-]+:.* $(1) /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
help: ## list the targets
	@echo "To see it, and to run it:"
	@$(call LIST,##)
	@echo "To change it:"
	@$(call LIST,###)

# What Ctrl-C ends has nothing to say: make is interrupted as well, and tells it by its status.
ON_CTRL_C = trap '$(1) exit 0' INT TERM

INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# One set-up at a time; whoever waited for another's finds it done. The lock is a link to a folder
# for what it leaves on the way, and what it says, which is shown if it fails: so a set-up knows its
# own lock, at whichever moment Ctrl-C comes.
LOCK := $(VENV).lock
OWN = $(VENV).$$$$
SET_UP = trap 'rm -rf $(OWN); [ "$$(readlink $(LOCK))" != "$(OWN)" ] || rm $(LOCK)' EXIT; $(call ON_CTRL_C,); mkdir $(OWN); \
	ln -sn $(OWN) $(LOCK) 2>/dev/null || { echo "Another set-up is under way; if there is none: rm $(LOCK)"; \
	until ln -sn $(OWN) $(LOCK) 2>/dev/null; do sleep 1; done; }; \
	[ $@ -nt $< ] || { echo "Once: what $(1) is installed into $(VENV). It takes half a minute and $(2) MB."; \
		{ TMPDIR="$(CURDIR)/$(OWN)" && export TMPDIR && $(3) && touch $@; } 2>$(OWN)/said || { cat $(OWN)/said; exit 1; }; }
$(VENV)/.ready-run: requirements-run.txt
	@$(call ON_CTRL_C,); $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "Python 3.11 or newer is needed, as $(PYTHON). Name another: make PYTHON=python3.13 ..."; exit 1; }
	@[ ! -L $(VENV) ] || { echo "$(VENV) is a link, and would be emptied where it leads: remove it."; exit 1; }
	@$(call SET_UP,make run needs,150,$(PYTHON) -m venv --clear $(VENV) && $(INSTALL) -r $<)

$(VENV)/.ready: requirements-dev.txt $(VENV)/.ready-run
	@$(call SET_UP,the tests need,450,$(INSTALL) -r $<)

setup: $(VENV)/.ready ### the virtual environment, with pinned dependencies

# To Ctrl-C, Python answers with a traceback in its own first moments; to SIGTERM, in silence.
# Again and again, since what has only just been forked may miss it.
UNTIL_CTRL_C = $(call ON_CTRL_C,while kill $$! 2>/dev/null; do sleep 0.5; done;); $(1) & wait $$! 2>/dev/null

run: $(VENV)/.ready-run ## watch the provider at work, on this machine alone
	@$(call UNTIL_CTRL_C,$(BIN)/python -m local.walk)

# They start some hundred processes, which would each compile the same again.
test quick repeating stand-ins engines: export PYTHONDONTWRITEBYTECODE =
test: setup ### lint, types, and every test, with full coverage of what runs in Lambda
# At once, since what deploys to the local engine mostly waits for it.
	@$(BATCH) $(MAKE) --no-print-directory --jobs engines stand-ins what-only-computes

# Behind what also waits, and would end last.
what-only-computes:
	@nice $(MAKE) --no-print-directory --jobs repeating lint-then-quick

lint-then-quick:
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory quick

# Linux interrupts batch work less often, which saves a tenth of its time.
BATCH = $(shell chrt --batch 0 true 2>/dev/null && echo chrt --batch 0)

lint: setup ### lint and types alone
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/cfn-lint

# The construct runs in a CDK app, which make cdk synthesises.
COVERED = -m slipcover --branch --fail-under 100 --skip-covered \
	--source handler,transfer_server_state --omit transfer_server_state/cdk.py

# These repeat what others cover, and would take longer if that were measured.
REPEATING = $(patsubst %,tests/test_%.py,benchmarks dynamodb faults hostile_events)
quick: setup ### the tests that take seconds, with full coverage of what runs in Lambda
	$(BIN)/python $(COVERED) -m pytest --quiet $(filter-out $(REPEATING),$(wildcard tests/test_*.py))

repeating: setup ### the tests that repeat much
	$(BIN)/python -m pytest --quiet $(REPEATING)

stand-ins: setup ### the tests of what stands in for AWS here, and of the product on Lambda's own runtime
	$(BIN)/python -m pytest --quiet tests/emulator tests/runtime tests/simulation

# Other people's programs, which a machine may lack, and which take their time.
TOOLS = tests/end_to_end/tools
# More than there are cores, for these wait more than they compute.
WORKERS = $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 2)')
engines: setup ### the tests that deploy to the local engine, or start what make starts
	$(BIN)/python -m pytest --quiet --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder \
		--ignore $(TOOLS) tests/end_to_end

mutants: setup ### break what runs in Lambda in every small way, and see whether a test notices
	@rm -rf mutants
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.mutants

simulate: setup ### SEEDS=N histories on its worst days, or a trace of one: SEED=n
	@$(BIN)/python -m tests.simulation.run $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS))

bench: setup ### measure it beside what one would pick instead; about eight minutes
	@$(BIN)/python -m benchmarks

docs: setup ### the READMEs' reference, from the code that they describe
	$(BIN)/python -m docs.reference
	$(BIN)/python -m docs.modules

up: $(VENV)/.ready-run ## the same to try out, shown live, until Ctrl-C; PORT=4566 for a fixed port
	@$(call UNTIL_CTRL_C,$(BIN)/python -m local.up $(if $(PORT),--port "$(PORT)"))

emulator: $(VENV)/.ready-run ## the Transfer API alone, until Ctrl-C; ARGS=--help tells what it can do
	@$(call UNTIL_CTRL_C,$(BIN)/python -m local.emulator $(ARGS))

picture: setup ### docs/timeline.svg, as make run shows it
	$(BIN)/python -m local.walk --picture docs/timeline.svg

# pip freeze knows no markers.
ON_LINUX = sys_platform == 'linux' and (platform_machine == 'x86_64' or platform_machine == 'aarch64')
lock: ### resolve pyproject.toml's groups anew into requirements-run.txt and requirements-dev.txt
	$(PYTHON) -m venv --clear $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet --upgrade pip
	for group in run dev; do \
		$(VENV)-lock/bin/python -m pip install --quiet --group $$group && \
		{ echo "# pyproject.toml's $$group group, resolved: make lock"; $(VENV)-lock/bin/python -m pip freeze \
			| sed "s/^awslambdaric==.*/&; $(ON_LINUX)/"; } > requirements-$$group.txt; done
	rm -rf $(VENV)-lock

clean: ### remove everything that was built or installed here
	rm -rf $(VENV) $(VENV).* $(VENV)-cdk $(VENV)-sam .aws-sam dist .hypothesis .import_linter_cache mutants .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

SAM_CLI := 1.170.0
SAM := $(VENV)-sam/bin/sam
SAM_CLI_TELEMETRY ?= 0
export SAM_CLI_TELEMETRY

$(VENV)-sam/.ready-$(SAM_CLI):
	$(PYTHON) -m venv --clear $(VENV)-sam
	$(VENV)-sam/bin/python -m pip install --quiet --disable-pip-version-check --no-compile aws-sam-cli==$(SAM_CLI)
	@touch $@

sam-example: setup $(VENV)-sam/.ready-$(SAM_CLI) ### build and deploy examples/sam-app here, by the SAM CLI
	$(BIN)/python -m pytest --quiet $(TOOLS)/test_sam_app.py

$(VENV)-cdk/.ready: examples/cdk/requirements.txt
	@echo "Once: the CDK is installed into $(VENV)-cdk, 270 MB."
	$(PYTHON) -m venv --clear $(VENV)-cdk
	$(VENV)-cdk/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --requirement $<
	@touch $@

cdk: setup ### synthesise and deploy examples/cdk here, where Node and the CDK are to be had
	@if ! command -v node >/dev/null; then echo "Skipped: CDK needs Node, and no node is on the PATH."; \
	elif ! $(MAKE) --no-print-directory $(VENV)-cdk/.ready; then \
		echo "Skipped: pip cannot get what examples/cdk/requirements.txt names."; fi
	$(BIN)/python -m pytest --quiet $(TOOLS)/test_cdk.py

terraform: setup ### apply terraform/ here, where Terraform and a mirror of its AWS provider are to be had
	$(BIN)/python -m pytest --quiet --numprocesses 2 --dist loadfile $(TOOLS)/test_terraform_invocation.py \
		$(TOOLS)/test_terraform_stack.py tests/emulator/test_other_tools.py

# The names of what was given on the command line; make exports the values itself.
parameters deploy: export OVERRIDES = $(MAKEOVERRIDES)
parameters: $(VENV)/.ready-run
	@$(BIN)/python -m deploy.parameters

deploy: parameters $(VENV)-sam/.ready-$(SAM_CLI) ## to the AWS account and region of your environment: make deploy AlarmTopicArn=...
	@$(BIN)/python -m deploy --sam $(SAM)

package: $(VENV)/.ready-run ## for StackSets, translated and zipped: make package BUCKET=name [REGIONS=a,b]
	@$(BIN)/python -m deploy.package --bucket "$(BUCKET)" --regions "$(REGIONS)"

# `sam build` calls this one, and so do make deploy, make package and the local engine, with the packages
# and the Python of its machine.
PACKAGES = "$(PYTHON)" -m pip install --quiet --disable-pip-version-check --no-deps \
	--only-binary=:all: --platform manylinux2014_aarch64 --python-version 3.14 --no-compile
COMPILE_WITH = python3.14
build-Provider build-Guard build-HookFunction build-TerraformFunction:
	cp -R handler schemas transfer_server_state "$(ARTIFACTS_DIR)/"
	$(PACKAGES) --target "$(ARTIFACTS_DIR)" --requirement handler/requirements.txt
	find "$(ARTIFACTS_DIR)" -type d \( -name __pycache__ -o -name tests -o -name benchmarks \) -prune -exec rm -rf {} +
# Lambda compiles at each cold start what the package does not bring compiled; that takes the same Python.
	@if command -v "$(COMPILE_WITH)" >/dev/null; then "$(COMPILE_WITH)" -m compileall -q \
		-s "$(ARTIFACTS_DIR)" -p /var/task --invalidation-mode unchecked-hash "$(ARTIFACTS_DIR)"; fi
