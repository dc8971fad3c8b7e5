"""`python -m stemjax` is `stemjax`."""

import sys

from stemjax.cli import main

sys.exit(main())
