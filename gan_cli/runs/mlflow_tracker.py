"""MLflow. Its own settings apply: MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME; without them, ./mlflow.db."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # a server that is gone must not hold the training up
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")  # seconds

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from gan_cli.runs.directory import CONFIG, sweep_of
from gan_cli.runs.trackers import Settings

_EXPERIMENT = "gan_cli"
_LONGEST = 6000  # characters of a parameter
_AT_ONCE = 100  # parameters of a request


class Tracker:
    """A run of MLflow's: rows as metrics, settings as parameters, pictures and config.yaml as artifacts."""

    def begin(self, run: Path, identity: str | None, settings: Settings) -> str:
        """Open the run `identity`, or a new one.

        Raises:
            mlflow.MlflowException: the store cannot be reached, or has no such run.
        """
        logging.getLogger("mlflow").setLevel(logging.ERROR)
        logging.getLogger("alembic").setLevel(logging.ERROR)
        self._client = MlflowClient()
        texts = {key: str(value)[:_LONGEST] for key, value in settings.items()}
        if identity is None:
            tags = {"sweep": sweep} if (sweep := sweep_of(run)) else {}
            self._id = self._client.create_run(self._experiment(), run_name=run.absolute().name, tags=tags).info.run_id
            known: Mapping[str, str] = {}
        else:
            self._id = identity
            known = self._client.get_run(identity).data.params
            self._client.update_run(identity, status="RUNNING")
        new = [Param(key, text) for key, text in texts.items() if key not in known]
        for i in range(0, len(new), _AT_ONCE):
            self._client.log_batch(self._id, params=new[i : i + _AT_ONCE])
        changed = [RunTag(key, text) for key, text in texts.items() if known.get(key, text) != text]
        self._client.log_batch(self._id, tags=changed)  # a parameter keeps the value that it was given first
        self._client.log_artifact(self._id, str(run / CONFIG))
        return self._id

    def scalars(self, step: int, row: Mapping[str, float]) -> None:
        """Keep one value a tag."""
        now = int(1000 * time.time())
        self._client.log_batch(self._id, metrics=[Metric(tag, value, now, step) for tag, value in row.items()])

    def image(self, tag: str, step: int, image: np.ndarray) -> None:
        """Keep a picture."""
        self._client.log_image(self._id, image, key=tag, step=step)

    def end(self, success: bool) -> None:
        """Close the run."""
        self._client.set_terminated(self._id, "FINISHED" if success else "FAILED")

    def _experiment(self) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", _EXPERIMENT)
        found = self._client.get_experiment_by_name(name)
        return found.experiment_id if found else self._client.create_experiment(name)
