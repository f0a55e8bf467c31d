.PHONY: bench
ONLY ?=

bench: setup-test ## measure everything that has a target; ONLY="name name" for some
	$(PY) -m bench $(ONLY)
