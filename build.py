"""The ``twinforge`` program, from a checkout: ``python build.py ...`` needs no installation."""

from twinforge.cli import main

if __name__ == "__main__":
    main()
