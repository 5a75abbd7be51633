"""`python -m gan_cli` is `gan`."""

import sys

from gan_cli.cli import main

sys.exit(main())
