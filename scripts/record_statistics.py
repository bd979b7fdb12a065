"""Records what SciPy computes of small samples, as core/numerics/tests/fixtures/statistics.json.

    pip install scipy==1.17.1
    python3 scripts/record_statistics.py

The BCa bootstrap is recorded twice: over all nⁿ resamples of a sample, which leaves nothing to chance, and over a hundred
thousand random ones of a larger sample.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import scipy
from scipy import stats
from scipy.stats import _resampling

TARGET = Path(__file__).parent.parent / "core" / "tests" / "fixtures" / "statistics.json"
LEVEL = 0.95


def all_resamples(sample: np.ndarray, **_: object) -> np.ndarray:
    """Every resample instead of random ones: stands in for SciPy's own drawing."""
    count = sample.shape[-1]
    return sample[..., np.array(list(itertools.product(range(count), repeat=count)))]


def exhaustive(values: list[float]) -> list[float]:
    """The BCa interval of the mean over all resamples."""
    drawing = _resampling._bootstrap_resample
    _resampling._bootstrap_resample = all_resamples
    try:
        found = stats.bootstrap(
            (values,), np.mean, n_resamples=len(values) ** len(values), confidence_level=LEVEL, method="BCa"
        )
    finally:
        _resampling._bootstrap_resample = drawing
    return [float(end) for end in found.confidence_interval]


def on_logarithms(values: np.ndarray) -> list[float]:
    """Student's interval for the mean of the logarithms, back."""
    logs = np.log(values)
    return [float(end) for end in np.exp(stats.t.interval(LEVEL, len(logs) - 1, np.mean(logs), stats.sem(logs)))]


def main() -> None:
    """Writes the file."""
    draw = np.random.default_rng(18)
    larger, other = (np.exp(1.14 * draw.standard_normal(15)).round(6) for _ in range(2))
    ratio = larger / other

    def of_ratio(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
        return np.sum(a, axis=axis) / np.sum(b, axis=axis)

    many = {"n_resamples": 100_000, "confidence_level": LEVEL, "method": "BCa"}
    mean = stats.bootstrap((larger,), np.mean, rng=np.random.default_rng(1), **many).confidence_interval
    paired = stats.bootstrap((larger, other), of_ratio, paired=True, rng=np.random.default_rng(2), **many)
    recorded = {
        "scipy": scipy.__version__,
        "student": [
            [p, freedom, float(stats.t.ppf(p, freedom))]
            for p in (0.6, 0.9, 0.975, 0.999)
            for freedom in (1, 2, 3, 4, 5, 14, 15, 99, 100, 1000, 12345)
        ],
        "normal": [[p, float(stats.norm.ppf(p))] for p in (1e-6, 0.01, 0.025, 0.4, 0.84, 0.975, 0.9999)],
        "bca": [
            {"values": values, "interval": exhaustive(values)}
            for values in ([1.0, 2.0, 4.0, 8.0, 30.0], [3.0, -1.0, 7.0, 5.0], [5.0, 1.0, 1.0, 2.0, 100.0, 9.0])
        ],
        "sample": {
            "values": larger.tolist(),
            "others": other.tolist(),
            "mean_bca": [float(end) for end in mean],
            "ratio_bca": [float(end) for end in paired.confidence_interval],
            "geometric_mean": float(stats.gmean(larger)),
            "geometric_interval": on_logarithms(larger),
            "geometric_ratio": float(stats.gmean(ratio)),
            "geometric_ratio_interval": on_logarithms(ratio),
            "median_interval": [
                float(end) for end in stats.quantile_test(larger, p=0.5).confidence_interval(confidence_level=LEVEL)
            ],
        },
    }
    TARGET.write_text(json.dumps(recorded, indent=1) + "\n")


if __name__ == "__main__":
    main()
