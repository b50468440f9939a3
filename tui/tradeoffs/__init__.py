"""What is worth keeping, what a device can bear, which difference is real: pure functions."""

from tui.tradeoffs.axes import X_AXES, Y_AXES, Axis
from tui.tradeoffs.front import located, pareto_front, worth_keeping

__all__ = ["X_AXES", "Y_AXES", "Axis", "located", "pareto_front", "worth_keeping"]
