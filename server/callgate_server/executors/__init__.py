"""One file a strategy; `base.py` has the Protocol they share, `make.py` picks one by its kind."""
