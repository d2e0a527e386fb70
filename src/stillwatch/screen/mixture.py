"""What share of a corpus carries a trace: the hits beyond those that chance gives, with an exact interval.

The model is a mixture over the documents' scores: a document carries a detectable trace with probability theta and is then a hit; otherwise
it is a hit with its own chance under the null, which is known because the null is (an exact tail for a watermark, none for a match).
With a the mean chance, the expected share of hits is theta + (1 - theta) * a. Solving for theta at both ends of the exact interval of
the share of hits gives the interval.

What it assumes: distinct documents are independent draws from the source; the null holds. For a watermark the chance part needs no such
assumption: a document is scored on the pairs of context and token that no earlier one had, and those are independent by the PRF.
What it estimates: the share with a trace that can be found. What another model wrote without a mark, what was paraphrased and what was
never logged is not in it: theta is a lower bound.

Source: Storey 2002, "A direct approach to false discovery rates" (excess over the null estimates a proportion); Clopper, Pearson 1934.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from stillwatch.records.screening import ShareEstimate
from stillwatch.stats.intervals import clopper_pearson
from stillwatch.stats.samples import probability_vector, require, require_samples


def excess_share(hits: ArrayLike, chances: ArrayLike, *, confidence: float = 0.95) -> ShareEstimate:
    """The share of documents with a trace.

    Args:
        hits: [n] of bool, whether each distinct document shows the trace.
        chances: [n] chance of each under the null, below 1.
        confidence: of the interval.

    Returns:
        Estimate and interval. The interval holds theta in at least `confidence` of all corpora: the number of hits is a sum of independent
        unequal trials, which is no more spread out than a binomial number with the same mean.

    Raises TooFewSamplesError for no documents, UnusableValuesError for vectors of different length or a chance of 1.

    Source: see the module; Hoeffding 1956, "On the distribution of the number of successes in independent trials", theorem 4.
    """
    found, by_chance = np.asarray(hits, np.bool_), probability_vector(chances, "chances")
    require(found.shape == by_chance.shape, f"{found.size} hits and {by_chance.size} chances were given; pass one of each per document")
    require_samples("share of documents with a trace", needed=1, got=found.size)
    require(np.all(by_chance < 1), "a chance is 1; leave out documents that are always a hit")
    mean, count = float(by_chance.mean()), int(np.count_nonzero(found))
    low, high = clopper_pearson(count, found.size, confidence)
    share, low, high = (min(1.0, max(0.0, (rate - mean) / (1 - mean))) for rate in (count / found.size, low, high))
    return ShareEstimate(
        documents=found.size, hits=count, by_chance=mean * found.size, share=share, low=low, high=high, confidence=confidence
    )
