"""How a suspect's likeness to our model ranks among declared controls: corroboration, and never proof."""

from __future__ import annotations

import math
from collections.abc import Mapping

from stillwatch.records.verdicts import Corroboration
from stillwatch.stats.samples import require, require_samples

CONTROLS = 19
"""Fewest declared controls: with fewer, even the first rank is unremarkable."""

_NO_PROOF = (
    "That the suspect was trained on our outputs. The controls are no random draw of innocent models, so the rank has no p-value: models "
    "that share data, base or teacher with ours are alike without having asked ours anything."
)


def similarity_rank(measure: str, score: float, controls: Mapping[str, float]) -> Corroboration:
    """The suspect's rank among controls that were declared before it was measured.

    Args:
        measure: what is compared, in words, such as `share of identical next tokens`.
        score: of the suspect; higher is more alike.
        controls: score of each declared control, >= 19 of them, same measure and same prompts.

    Null hypothesis: none, and so no p-value.
    Raises TooFewSamplesError for fewer than 19 controls, UnusableValuesError for scores that are not finite.

    Source: Nikolic et al. 2025, "Model Provenance Testing for Large Language Models", arXiv 2502.00706 (comparison with controls).
    """
    require_samples("similarity rank, declared controls", needed=CONTROLS, got=len(controls))
    require(all(math.isfinite(value) for value in (score, *controls.values())), "a similarity is not finite; measure that model again")
    rank = 1 + sum(value >= score for value in controls.values())
    return Corroboration(
        test="similarity",
        measure=measure,
        score=score,
        controls=tuple(sorted(controls.items(), key=lambda pair: -pair[1])),
        rank=rank,
        says=f"The suspect is number {rank} of {len(controls) + 1} by {measure}. This is corroboration and enters no p-value.",
        does_not_show=_NO_PROOF,
    )
