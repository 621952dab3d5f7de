"""`python -m simple_registry` is the same as `simple-registry`."""

import sys

from simple_registry.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
