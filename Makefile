# Forkcast's commands; `make` alone lists them.

PYTHON_RUN := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help serve reload rollback model train check-config test test-deploy check lint types readme bench bench-quick bench-memory bench-engine bench-acceleration bench-account bench-models bench-report clean

help: ## list these commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 20

serve: .venv/.installed ## serve MODEL_URI, or the default model, on HOST and PORT
	@$(PYTHON_RUN) -m app.demo --if-needed
	@[ -n "$$WEB_CONCURRENCY" ] || unset WEB_CONCURRENCY; exec $(PYTHON_RUN) -m gunicorn -c gunicorn.conf.py

reload: .venv/.installed ## have the running server prove and serve the model at MODEL_URI; MODEL=new.joblib goes there first
	@$(PYTHON_RUN) -m app.reload $(if $(MODEL),--model "$(MODEL)") $(if $(NAME),--name "$(NAME)")

rollback: .venv/.installed ## go back to the model before the last reload with MODEL= (at MODEL_URI, once more comes back)
	@$(PYTHON_RUN) -m app.reload --rollback $(if $(NAME),--name "$(NAME)")

model: .venv/.installed ## train the default model and print how good it is
	@$(PYTHON_RUN) -m app.demo

train: .venv/.installed ## train on your own file: DATA=reviews.csv, or DATA=table.csv TARGET=column; OUT=file.joblib
	@test -n "$(DATA)" || { echo "make: say which file: make train DATA=reviews.csv" >&2; exit 1; }
	@$(PYTHON_RUN) -m app.training --data "$(DATA)" $(if $(TARGET),--target "$(TARGET)") $(if $(OUT),--out "$(OUT)")

check-config: .venv/.installed ## print the settings in force, their source, and what will be started
	@$(PYTHON_RUN) -m app.check_config

test: .venv/.installed-dev ## run all tests
	@$(PYTHON_RUN) -m pytest -q -n auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder

test-deploy: .venv/.installed-dev ## run the tests of deploy/, which need systemd-analyze, prometheus and promtool
	@$(PYTHON_RUN) -m pytest -q -rs tests/deploy

lint: .venv/.installed-dev
	@.venv/bin/ruff check --output-format concise .
	@.venv/bin/ruff format --check .

types: .venv/.installed-dev
	@.venv/bin/mypy

readme: .venv/.installed-dev
	@$(PYTHON_RUN) -m benchmarks.report --check

check: lint types readme test ## lint, types and tests: what CI runs

bench: .venv/.installed ## measure workers against execution modes on a text model (needs wrk)
	@$(PYTHON_RUN) -m benchmarks.scaling

bench-quick: .venv/.installed ## the same in under a minute, to show that it runs
	@$(PYTHON_RUN) -m benchmarks.scaling --quick

bench-models: .venv/.installed ## judge the default model on DATA, labelled reviews that it has never seen
	@$(PYTHON_RUN) -m benchmarks.models $(if $(DATA),--data "$(DATA)")

bench-report: .venv/.installed ## put the newest results into README.md
	@$(PYTHON_RUN) -m benchmarks.report

bench-memory: .venv/.installed ## measure what a second worker costs in memory
	@$(PYTHON_RUN) -m benchmarks.memory

bench-engine: .venv/.installed ## measure balance, lost requests, faults and overload (some 25 minutes; needs wrk, faketime, cc)
	@$(PYTHON_RUN) -m benchmarks.engine

bench-acceleration: .venv/.installed ## measure against FastAPI, and each model against its own predict (some 20 minutes; needs wrk)
	@$(PYTHON_RUN) -m benchmarks.acceleration

bench-account: .venv/.installed ## measure what each part of a request costs (some 4 minutes; needs wrk)
	@$(PYTHON_RUN) -m benchmarks.account $(if $(BEFORE),--compare "$(BEFORE)" "$(AFTER)")

clean: ## remove the virtual environment and all that was made
	@rm -rf .venv var

.venv/.installed: requirements.txt
	@sh tools/venv.sh requirements.txt
	@touch $@

.venv/.installed-dev: requirements-dev.txt requirements-mlflow.txt requirements-skops.txt requirements.txt
	@sh tools/venv.sh requirements-dev.txt
	@touch .venv/.installed $@
