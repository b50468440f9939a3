"""CTC's loss with all its derivatives: torch's own has no second one."""

import torch
from torch import Tensor
from torch.nn.functional import pad

#: The logarithm of no chance at all; minus infinity would turn derivatives into NaN.
_NEVER = -1e30


def ctc_loss(logits: Tensor, letters: Tensor, *, blank: int) -> Tensor:
    """Minus the log-likelihood of one clip's letters, in nats; logits are (frames, letters known).

    Between any two letters there may be blanks, and between equal ones there must: the sum over
    all alignments goes frame by frame over letters and the blanks around them. A clip needs the
    frames that `prune.learning.losses.CtcTask.fits` asks for.
    """
    states = letters.new_full((2 * len(letters) + 1,), blank)
    states[1::2] = letters
    said = logits.log_softmax(-1)[:, states]
    may_skip = torch.zeros_like(states, dtype=torch.bool)
    may_skip[3::2] = letters[1:] != letters[:-1]
    skipping = said.new_zeros(len(states)).masked_fill(~may_skip, _NEVER)
    reached = pad(said[0, :2], (0, max(0, len(states) - 2)), value=_NEVER)
    for frame in said[1:]:
        before = pad(reached, (2, 0), value=_NEVER)
        ways = torch.stack((before[2:], before[1:-1], before[:-2] + skipping))
        reached = ways.logsumexp(0) + frame
    return -reached[-2:].logsumexp(0)
