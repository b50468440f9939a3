"""Where else bundles are written down as they are made: TensorBoard, MLflow."""

from pipeline.logs.hearing import logging

__all__ = ["logging"]
