# make demo: from synthetic portraits to files for a phone, in minutes
# make test: style and all tests but the longest; make test_fast: what is not marked slow
# make test_all: all tests, with MediaPipe, PyTorch (some gigabytes) and a Kotlin compiler, and the docs
# make lint: style alone
# make docs: the documentation as a website, in site/
# make bench: how fast data are prepared and read, against plain implementations, and networks run

PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/python

.PHONY: demo bench test test_fast test_all lint docs clean

demo: .venv/runtime
	$(RUN) data.py sample --out_dir demo/raw --count 600 --seed 1
	$(RUN) data.py lfw --data_dir demo/raw --out_dir demo --img_size 96
	$(RUN) train_full.py --img_file demo/images-96.npy --alpha 0.25 --epochs 25 -b 8 -o demo/portraits.keras
	$(RUN) evaluate.py demo/portraits.keras --img_file demo/images-96.npy --split validation \
		--report demo/report
	$(RUN) predict.py demo/portraits.keras demo/raw/images/0002.jpg -o demo/pictures
	$(RUN) tf_converter.py demo/portraits.keras
	$(RUN) coreml_converter.py demo/portraits.keras --quantize float32
	@echo "Done. Look at demo/pictures/0002_overlay.jpg and demo/report/contact_sheet.png;" \
		"for the phone: demo/portraits.mlpackage (iOS), demo/portraits.tflite and demo/portraits.pb (Android)."

ROOMS := demo/rooms
CLASSES := "wall|floor, flooring|bed|lamp|pillow"

bench: .venv/runtime
	$(RUN) data.py sample --kind scenes --out_dir $(ROOMS) --count 100 --seed 1
	$(RUN) benchmarks/prepare_records.py $(ROOMS)/images/training $(ROOMS)/annotations/training \
		$(ROOMS)/objectInfo150.txt $(CLASSES)
	$(RUN) data.py ade20k -i $(ROOMS)/images/training -a $(ROOMS)/annotations/training \
		-l $(ROOMS)/objectInfo150.txt -o $(ROOMS)/rooms.tfrecord -t 0 -w $(CLASSES)
	$(RUN) benchmarks/input_pipeline.py $(ROOMS)/rooms.tfrecord
	$(RUN) benchmarks/networks.py

PYTEST := $(RUN) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test: lint
	$(PYTEST) -m "not long"

test_fast: .venv/development
	$(PYTEST) -m "not slow and not long"

test_all: .venv/all lint docs
	$(PYTEST)

lint: .venv/development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# Material prints a notice about its own future unless NO_MKDOCS_2_WARNING is set.
docs: .venv/docs
	$(RUN) docs/reference.py
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict --quiet
	@echo "Open site/index.html."

.venv/runtime: requirements.txt
	@$(PYTHON) -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))" || \
		{ echo "Python 3.11 to 3.13 is needed: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/development: .venv/runtime requirements-dev.txt requirements-dask.txt requirements-storage.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

.venv/docs: .venv/runtime requirements-docs.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-docs.txt
	@touch $@

.venv/all: .venv/development requirements-all.txt requirements-onnx.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-all.txt
	@touch $@

clean:
	rm -rf .venv demo logs/portraits site docs/commands.md web/dist build dist *.egg-info
