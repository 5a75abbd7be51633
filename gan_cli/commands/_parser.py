"""Argument parsing of the commands that Hydra does not configure."""

from __future__ import annotations

import argparse
from typing import NoReturn

from gan_cli.errors import UserError


class Parser(argparse.ArgumentParser):
    """An `argparse` parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Raise the message as an error in one line.

        Raises:
            UserError: always.
        """
        raise UserError(f"{message} (see `{self.prog} --help`)")
