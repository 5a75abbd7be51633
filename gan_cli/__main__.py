"""`python -m gan_cli` is `gan`."""

import os
import sys
from contextlib import suppress

with suppress(FileNotFoundError):  # the working directory was removed
    if sys.path[0] in ("", os.getcwd()):
        del sys.path[0]  # a file in the working directory must not hide a library

from gan_cli.cli import main

sys.exit(main())
