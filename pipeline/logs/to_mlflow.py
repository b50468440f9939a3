"""Runs of an MLflow server, one a bundle, in an experiment that is called as the recipe."""

import os
import time

from pipeline.logs.record import Record
from speech.errors import BadInput

try:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param
    from mlflow.exceptions import MlflowException
except ModuleNotFoundError as error:
    raise BadInput(
        "--mlflow needs mlflow, which is not installed here: pip install 'secateur[mlflow]'."
    ) from error

#: How often a server is asked that does not answer; MLflow's own patience is minutes long.
_TIMES = "2"

#: What MLflow takes at a time.
_MOST = 1000

#: Tells a run's bundle by its hash.
_TAG = "secateur.bundle"

#: Of an address that is none, or of a folder, MLflow lets through what it meets.
_FAULTS = (MlflowException, OSError, ValueError)


class MlflowLog:
    """Raises at once for a server that cannot be reached."""

    def __init__(self, uri: str, experiment: str):
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", _TIMES)
        self._uri = uri
        try:
            self._client = MlflowClient(tracking_uri=uri)
            found = self._client.get_experiment_by_name(experiment)
            self._experiment = (
                found.experiment_id if found else self._client.create_experiment(experiment)
            )
        except _FAULTS as error:
            raise self._unreachable(error) from error

    def __call__(self, record: Record) -> None:
        try:
            if self._has(record):
                return
            run = self._client.create_run(
                self._experiment, run_name=record.name, tags={_TAG: record.bundle}
            ).info.run_id
            parameters = [Param(name, str(value)) for name, value in record.parameters.items()]
            metrics = _metrics(record)
            self._client.log_batch(run, params=parameters)
            for start in range(0, len(metrics), _MOST):
                self._client.log_batch(run, metrics=metrics[start : start + _MOST])
            self._client.set_terminated(run)
        except _FAULTS as error:
            raise self._unreachable(error) from error

    def _has(self, record: Record) -> bool:
        """A run that was cut off in the middle does not count."""
        wanted = f"tags.`{_TAG}` = '{record.bundle}' AND attributes.status = 'FINISHED'"
        return bool(self._client.search_runs([self._experiment], wanted, max_results=1))

    def _unreachable(self, error: Exception) -> BadInput:
        said = str(error).strip().splitlines()[0].rstrip(".")
        return BadInput(f"MLflow at {self._uri} cannot be written to: {said}.")


def _metrics(record: Record) -> list[Metric]:
    now = int(time.time() * 1000)
    curves = [
        Metric(name, loss, now, step)
        for name, losses in record.losses.items()
        for step, loss in losses
    ]
    return [*(Metric(name, value, now, 0) for name, value in record.scalars.items()), *curves]
