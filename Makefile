# make demo: drawn portraits to a phone's files, in minutes
# make test: everything that is checked; make lint: style alone
# make bench: how much faster data are prepared and read than in the plain ways
# make test_all: the same, with MediaPipe, JAX and PyTorch (some gigabytes) installed

PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/python

.PHONY: demo bench test test_all lint clean

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

test: lint
	$(RUN) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test_all: .venv/all test

lint: .venv/development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.venv/runtime: requirements.txt
	@$(PYTHON) -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))" || \
		{ echo "Python 3.11 to 3.13 is needed: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/development: .venv/runtime requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

.venv/all: .venv/development requirements-all.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-all.txt
	@touch $@

clean:
	rm -rf .venv demo logs/portraits
