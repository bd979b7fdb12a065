"""Records what SciPy and statsmodels compute of small made-up studies, as core/tests/fixtures/study_statistics.json.

    pip install scipy==1.17.1 statsmodels==0.15.0
    python3 scripts/record_study_statistics.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import scipy
import statsmodels
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

TARGET = Path(__file__).parent.parent / "core" / "tests" / "fixtures" / "study_statistics.json"


def within(groups: np.ndarray, x: np.ndarray, y: np.ndarray, ranks: bool) -> float:
    """The correlation of what is left of x and y when each group's mean is taken away."""
    left_x, left_y = [], []
    for group in np.unique(groups):
        inside = groups == group
        if inside.sum() < 2:
            continue
        a, b = x[inside], y[inside]
        if ranks:
            a, b = (stats.rankdata(values) / (inside.sum() + 1) for values in (a, b))
        left_x.extend(a - a.mean())
        left_y.extend(b - b.mean())
    return float(stats.pearsonr(left_x, left_y).statistic)


def main() -> None:
    """Writes the file."""
    draw = np.random.default_rng(19)
    groups = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3])
    count = len(groups)
    size = draw.normal(7, 0.5, count).round(6)
    accuracy = (0.6 + 0.05 * size + 0.02 * groups + 0.03 * draw.standard_normal(count)).round(6)
    accuracy[5] = accuracy[4]  # a tie
    log_lee = (-2 + 0.3 * groups - 4 * accuracy + 0.2 * size + 0.3 * draw.standard_normal(count)).round(6)

    dummies = np.stack([(groups == group).astype(float) for group in range(4)], axis=1)
    fit = sm.OLS(log_lee, np.column_stack([accuracy, size, dummies])).fit()
    a = np.exp(1.1 * draw.standard_normal(12)).round(6)
    b = np.exp(0.4 + 0.6 * draw.standard_normal(7)).round(6)
    welch = stats.ttest_ind(np.log(a), np.log(b), equal_var=False)
    recorded = {
        "made_by": f"scipy {scipy.__version__}, statsmodels {statsmodels.__version__}",
        "groups": groups.tolist(),
        "size": size.tolist(),
        "accuracy": accuracy.tolist(),
        "log_lee": log_lee.tolist(),
        "pearson": float(stats.pearsonr(accuracy, log_lee).statistic),
        "spearman": float(stats.spearmanr(accuracy, log_lee).statistic),
        "pearson_within": within(groups, accuracy, log_lee, ranks=False),
        "spearman_within": within(groups, accuracy, log_lee, ranks=True),
        "coefficients": fit.params.tolist(),
        "intervals": fit.conf_int(0.05).tolist(),
        "residual": float(np.sqrt(fit.mse_resid)),
        "explained": float(fit.rsquared),
        "adjusted": float(fit.rsquared_adj),
        "wilson": [
            [right, of, *map(float, proportion_confint(right, of, method="wilson"))]
            for right, of in ((0, 9), (7, 10), (918, 1000))
        ],
        "a": a.tolist(),
        "b": b.tolist(),
        "log_ratio": float(np.mean(np.log(a)) - np.mean(np.log(b))),
        "welch_error": float((np.mean(np.log(a)) - np.mean(np.log(b))) / welch.statistic),
        "welch_freedom": float(welch.df),
        "welch_t": float(stats.t.ppf(0.975, np.floor(welch.df))),
    }
    TARGET.write_text(json.dumps(recorded, indent=1) + "\n")


if __name__ == "__main__":
    main()
