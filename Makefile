# Forkcast's commands; `make` alone lists them.

PYTHON_RUN := .venv/bin/python
# Each has an environment of its own, for none can share one with another.
PEERS := litserve mlserver bentoml mlflow ray torchserve
.DEFAULT_GOAL := help
.PHONY: help serve reload rollback model train check-config consume jobs-dead jobs-replay test test-jobs test-deploy test-load test-peers test-clients check lint types readme protobuf bench bench-claims bench-full bench-quick bench-generator bench-agreement bench-memory bench-engine bench-acceleration bench-account bench-models bench-peers bench-protocol bench-surroundings bench-tune bench-report tune load profile clean

help: ## list these commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 20

# The settings in a file, as `make tune` writes one, are put over those of the environment.
WITH_ENV_FILE = $(if $(ENV_FILE),[ -r "$(ENV_FILE)" ] || { echo "make: there is no file $(ENV_FILE)" >&2; exit 1; }; set -a; . "$$(readlink -f "$(ENV_FILE)")"; set +a;)

# With what jobs in Redis or Kafka need, if they are there.
OF_JOBS = $(if $(filter redis% unix% kafka%,$(FORKCAST_JOBS_URL)),.venv/.installed-stores)

serve: .venv/.installed $(OF_JOBS) ## serve MODEL_URI, or the default model, on HOST and PORT; with the settings in ENV_FILE, if given
	@$(WITH_ENV_FILE) $(PYTHON_RUN) -m app.demo --if-needed
	@$(WITH_ENV_FILE) [ -n "$$WEB_CONCURRENCY" ] || unset WEB_CONCURRENCY; exec $(PYTHON_RUN) -m gunicorn -c gunicorn.conf.py

reload: .venv/.installed ## have the running server prove and serve the model at MODEL_URI; MODEL=new.joblib goes there first
	@$(PYTHON_RUN) -m app.reload $(if $(MODEL),--model "$(MODEL)") $(if $(NAME),--name "$(NAME)")

rollback: .venv/.installed ## go back to the model before the last reload with MODEL= (at MODEL_URI, once more comes back)
	@$(PYTHON_RUN) -m app.reload --rollback $(if $(NAME),--name "$(NAME)")

model: .venv/.installed ## train the default model and print how good it is
	@$(PYTHON_RUN) -m app.demo

train: .venv/.installed ## train on your own file: DATA=reviews.csv, or DATA=table.csv TARGET=column; OUT=file.joblib
	@test -n "$(DATA)" || { echo "make: say which file: make train DATA=reviews.csv" >&2; exit 1; }
	@$(PYTHON_RUN) -m app.training --data "$(DATA)" $(if $(TARGET),--target "$(TARGET)") $(if $(OUT),--out "$(OUT)")

consume: .venv/.installed $(OF_JOBS) ## run the background jobs of FORKCAST_JOBS_URL with MODEL_URI, in a process of its own (ENV_FILE as for serve)
	@$(WITH_ENV_FILE) $(PYTHON_RUN) -m app.demo --if-needed
	@$(WITH_ENV_FILE) exec $(PYTHON_RUN) -m app.consumer

jobs-dead: .venv/.installed ## list the background jobs that failed, and why
	@$(WITH_ENV_FILE) $(PYTHON_RUN) -m app.consumer --dead

jobs-replay: .venv/.installed ## queue background jobs that failed again: JOB=id, or JOB=all
	@test -n "$(JOB)" || { echo "make: say which: make jobs-replay JOB=all, or an id that make jobs-dead lists" >&2; exit 1; }
	@$(WITH_ENV_FILE) $(PYTHON_RUN) -m app.consumer --replay "$(JOB)"

check-config: .venv/.installed ## print the settings in force, their source, and what will be started (ENV_FILE as for serve)
	@$(WITH_ENV_FILE) $(PYTHON_RUN) -m app.check_config

test: .venv/.installed-dev ## run all tests
	@$(PYTHON_RUN) -m pytest -q -n auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder

test-jobs: .venv/.installed-dev ## kill who runs 1,000 background jobs again and again, and Redis too: is each done once? (minutes; needs redis-server)
	@$(PYTHON_RUN) -m pytest -q -rs -s tests/server/under_fire/test_*.py

test-deploy: .venv/.installed-dev ## run the tests of deploy/, which need systemd-analyze, prometheus and promtool
	@$(PYTHON_RUN) -m pytest -q -rs tests/deploy

test-load: .venv/.installed-dev var/venv-load/.installed ## run the tests of make load, which need Locust
	@$(PYTHON_RUN) -m pytest -q -rs tests/load

test-peers: .venv/.installed-dev $(PEERS:%=var/peers/%/.installed) ## run the tests of make bench-peers on each peer (minutes; TorchServe needs Java 17)
	@$(PYTHON_RUN) -m pytest -q -rs tests/peers

# MLServer's codecs in a run of their own: its messages of gRPC and those of Triton's client have the same names.
test-clients: .venv/.installed-dev var/clients/.installed var/clients-kserve/.installed var/clients-mlflow/.installed ## ask as the clients of Triton, MLServer, KServe and MLflow do, beside the real MLServer and MLflow
	@var/clients/bin/python -m pytest -q -rs tests/clients/test_triton*.py tests/clients/test_mlserver*agreement.py
	@var/clients/bin/python -m pytest -q -rs tests/clients/test_mlserver_codecs.py
	@var/clients-kserve/bin/python -m pytest -q -rs tests/clients/test_kserve*.py
	@var/clients-mlflow/bin/python -m pytest -q -rs tests/clients/test_mlflow*.py

lint: .venv/.installed-dev
	@.venv/bin/ruff check --output-format concise .
	@.venv/bin/ruff format --check .

types: .venv/.installed-dev
	@.venv/bin/mypy

readme: .venv/.installed-dev
	@$(PYTHON_RUN) -m benchmarks.report --check

protobuf: .venv/.installed-dev ## write the messages of gRPC anew from app/api/open_inference.proto
	@$(PYTHON_RUN) -m grpc_tools.protoc -I . --python_out=. --pyi_out=. app/api/open_inference.proto

check: lint types readme test ## lint, types and tests: what CI runs

bench: .venv/.installed-bench ## measure threads against processes on MODEL_URI (some 12 minutes; RESUME=folder goes on)
	@$(PYTHON_RUN) -m benchmarks.bench $(if $(RESUME),--resume "$(RESUME)")

bench-claims: .venv/.installed-bench ## of bench-full only what is said elsewhere, with verdicts (an hour or more; RESUME=folder goes on)
	@$(PYTHON_RUN) -m benchmarks.bench claims $(if $(RESUME),--resume "$(RESUME)")

bench-full: .venv/.installed-bench ## every technique, model, size and load: hours; RESUME=folder goes on, ONLY='text-*' picks
	@$(PYTHON_RUN) -m benchmarks.bench full $(if $(RESUME),--resume "$(RESUME)") $(if $(ONLY),--only "$(ONLY)")

bench-quick: .venv/.installed-bench ## a little of it in a minute, to show that it runs
	@$(PYTHON_RUN) -m benchmarks.bench --quick

bench-generator: .venv/.installed-bench ## what our own load generator can do, beside wrk and httperf (some 7 minutes; needs nginx, wrk, httperf)
	@$(PYTHON_RUN) -m benchmarks.load_generator.calibration

bench-agreement: .venv/.installed-bench ## on how many headline ratios do two results of make bench agree? A=folder B=folder
	@$(PYTHON_RUN) -m benchmarks.analysis.agreement "$(A)" "$(B)"

bench-models: .venv/.installed-bench ## judge the default model on DATA, labelled reviews that it has never seen
	@$(PYTHON_RUN) -m benchmarks.models $(if $(DATA),--data "$(DATA)")

bench-tune: .venv/.installed-bench ## is what make tune chooses within 5 % of the best of all? on four models (some 50 minutes)
	@$(PYTHON_RUN) -m benchmarks.tuning.claim

bench-report: .venv/.installed-bench ## render REPORT.md, report.html and README.md from the newest results
	@$(PYTHON_RUN) -m benchmarks.reporting
	@$(PYTHON_RUN) -m benchmarks.report

bench-memory: .venv/.installed-bench ## measure what a second worker costs in memory
	@$(PYTHON_RUN) -m benchmarks.memory

bench-engine: .venv/.installed-bench ## measure balance, lost requests, faults and overload (some 25 minutes; needs wrk, faketime, cc)
	@$(PYTHON_RUN) -m benchmarks.engine

bench-acceleration: .venv/.installed-bench ## measure against FastAPI, and each model against its own predict (some 20 minutes; needs wrk)
	@$(PYTHON_RUN) -m benchmarks.acceleration

bench-account: .venv/.installed-bench ## measure what each part of a request costs (some 4 minutes; needs wrk)
	@$(PYTHON_RUN) -m benchmarks.account $(if $(BEFORE),--compare "$(BEFORE)" "$(AFTER)")

tune: .venv/.installed-bench ## choose how to serve MODEL_URI here, in var/tuned.env (some 3 to 10 minutes); PAYLOAD= ROWS= CONNECTIONS= OBJECTIVE_MS= MEMORY_MB= EXHAUSTIVE= OUT=
	@$(PYTHON_RUN) -m app.demo --if-needed
	@$(PYTHON_RUN) -m benchmarks.tuning $(if $(PAYLOAD),--payload "$(PAYLOAD)") $(if $(ROWS),--rows "$(ROWS)") \
		$(if $(CONNECTIONS),--connections "$(CONNECTIONS)") $(if $(OBJECTIVE_MS),--objective-ms "$(OBJECTIVE_MS)") \
		$(if $(MEMORY_MB),--memory-mb "$(MEMORY_MB)") $(if $(EXHAUSTIVE),--exhaustive) $(if $(OUT),--out "$(OUT)")

bench-peers: .venv/.installed-bench $(patsubst %,var/peers/%/.installed,$(filter-out forkcast%,$(or $(ONLY),$(PEERS)))) ## measure Forkcast beside other servers (some 45 minutes; ONLY='litserve ray' tries some; RESUME=folder goes on)
	@$(PYTHON_RUN) -m benchmarks.peers $(if $(RESUME),--resume "$(RESUME)") $(if $(ONLY),--only $(ONLY))
	@$(if $(ONLY),,$(PYTHON_RUN) -m benchmarks.protocol)

bench-protocol: .venv/.installed-bench var/peers/mlserver/.installed ## of bench-peers only what is asked in the protocol that MLServer speaks too (some 7 minutes; RESUME=folder goes on)
	@$(PYTHON_RUN) -m benchmarks.protocol $(if $(RESUME),--resume "$(RESUME)")

bench-surroundings: .venv/.installed-bench ## measure what waits around a predict: features from a store, its faults, the queue (some 13 minutes; ONLY=faults tries a part)
	@$(PYTHON_RUN) -m benchmarks.surroundings $(ONLY)

load: .venv/.installed var/venv-load/.installed ## ask a running server as users do: HOST_URL=http://host:8000; PROFILE=5 or 10 users (both: a minute)
	@$(PYTHON_RUN) -m benchmarks.load $(if $(HOST_URL),--url "$(HOST_URL)") $(if $(PROFILE),--profile "$(PROFILE)")

profile: .venv/.installed-bench ## show where the time of a prediction by MODEL_URI goes; ROWS=1, CONNECTIONS=32 (needs wrk)
	@$(PYTHON_RUN) -m app.demo --if-needed
	@$(PYTHON_RUN) -m benchmarks.profile $(if $(ROWS),--rows "$(ROWS)") $(if $(CONNECTIONS),--connections "$(CONNECTIONS)")

clean: ## remove the virtual environment and all that was made
	@rm -rf .venv var

.venv/.installed: requirements.txt
	@sh tools/venv.sh requirements.txt
	@touch $@

.venv/.installed-stores: requirements-stores.txt requirements.txt
	@sh tools/venv.sh requirements-stores.txt
	@touch .venv/.installed $@

.venv/.installed-bench: requirements-bench.txt requirements-stores.txt requirements.txt
	@sh tools/venv.sh requirements-bench.txt
	@touch .venv/.installed .venv/.installed-stores $@

.venv/.installed-dev: requirements-dev.txt requirements-bench.txt requirements-stores.txt requirements-mlflow.txt requirements-skops.txt requirements.txt
	@sh tools/venv.sh requirements-dev.txt
	@touch .venv/.installed .venv/.installed-stores .venv/.installed-bench $@

# Locust patches Python's sockets and brings much along: nothing that serves shares an environment with it.
var/venv-load/.installed: requirements-load.txt
	@sh tools/venv.sh requirements-load.txt var/venv-load
	@touch $@

var/peers/%/.installed: benchmarks/peers/requirements/%.txt
	@sh tools/venv.sh $< var/peers/$*
	@touch $@

# The clients, with the servers that they are made for: none can share an environment with what serves, nor all one.
var/clients/.installed: requirements-clients.txt benchmarks/peers/requirements/mlserver.txt
	@sh tools/venv.sh $< var/clients
	@touch $@

var/clients-mlflow/.installed: requirements-clients-mlflow.txt benchmarks/peers/requirements/mlflow.txt
	@sh tools/venv.sh $< var/clients-mlflow
	@touch $@

var/clients-kserve/.installed: requirements-clients-kserve.txt
	@sh tools/venv.sh $< var/clients-kserve
	@touch $@
