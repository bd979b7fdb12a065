"""How many networks and images a study needs: by simulation from the scatter of one that was measured.

    python3 scripts/study_power.py results/study/study.db [--set test] [--output softmax] [--generator translate_x]

Simulated networks have a log LEE and an accuracy (as its logit) of two normal distributions with the measured means and
deviations and a true correlation. Images are then drawn, the same for all networks: each network has the images' scatter of
one of the measured networks, and classifies rightly as often as its accuracy says. What is counted is how often a study
comes out with an interval of Spearman's correlation below 0. That interval is Fisher's with the standard error of Bonett and
Wright (Psychometrika 65, 2000), √((1 + ρ²/2)/(N − 3)), as a bootstrap within a thousand studies would take days.
"""

from __future__ import annotations

import argparse
import math
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from statistics import fmean, stdev

QUANTILE = 1.959964
NETWORKS = (10, 20, 40, 80, 160, 480)
CORRELATIONS = (-0.3, -0.5, -0.7)
IMAGES = (25, 100, 400)


def measured(store: Path, image_set: str, output: str, generator: str) -> tuple[list[list[float]], list[float]]:
    """LEE by network and image, for the images that all networks were measured on, and the networks' accuracies."""
    query = """
        SELECT l.network, l.image, l.lee, p.is_right FROM lee l
        JOIN prediction p ON p.network = l.network AND p.image = l.image
        JOIN image i ON i.id = l.image JOIN image_set s ON s.id = i.image_set
        WHERE s.name = ? AND l.output = ? AND l.generator = ? AND p.is_right IS NOT NULL
    """
    values: dict[int, dict[int, tuple[float, int]]] = {}
    with closing(sqlite3.connect(store)) as connection:
        for network, image, lee, is_right in connection.execute(query, (image_set, output, generator)):
            values.setdefault(network, {})[image] = (lee, is_right)
    if len(values) < 3:
        raise SystemExit(
            f"{store} has fewer than three networks with {output}, {generator} and classes on '{image_set}'"
        )
    common = sorted(set.intersection(*(set(of) for of in values.values())))
    if len(common) < 10:
        raise SystemExit(f"{store}: the networks have fewer than ten images in common")
    lee = [[of[image][0] for image in common] for of in values.values()]
    return lee, [fmean(of[image][1] for image in common) for of in values.values()]


def ranks(values: list[float]) -> list[float]:
    """Ranks from 1, ties having their mean."""
    order = sorted(range(len(values)), key=values.__getitem__)
    found = [0.0] * len(values)
    at = 0
    while at < len(order):
        end = at
        while end + 1 < len(order) and values[order[end + 1]] == values[order[at]]:
            end += 1
        for place in order[at : end + 1]:
            found[place] = (at + end) / 2 + 1
        at = end + 1
    return found


def correlation(x: list[float], y: list[float]) -> float:
    """Pearson's; 0 where one side does not vary."""
    x_mean, y_mean = fmean(x), fmean(y)
    x_part, y_part = [v - x_mean for v in x], [v - y_mean for v in y]
    size = math.sqrt(math.fsum(v * v for v in x_part) * math.fsum(v * v for v in y_part))
    return math.fsum(a * b for a, b in zip(x_part, y_part)) / size if size > 0 else 0.0


def is_below_zero(rho: float, networks: int) -> bool:
    """Whether the interval of Spearman's correlation lies below 0."""
    error = math.sqrt((1 + rho * rho / 2) / (networks - 3))
    return math.atanh(max(rho, -0.999999)) + QUANTILE * error < 0


class World:
    """What is known of the scatter between networks and between images."""

    def __init__(self, lee: list[list[float]], accuracies: list[float], seed: int) -> None:
        self.draw = random.Random(seed)
        logs = [math.log(fmean(of)) for of in lee]
        # An accuracy of 1 on so many images is one of half an image less.
        images = len(lee[0])
        clipped = [min(max(a, 0.5 / images), 1 - 0.5 / images) for a in accuracies]
        logits = [math.log(a / (1 - a)) for a in clipped]
        self.log, self.log_deviation = fmean(logs), stdev(logs)
        self.logit, self.logit_deviation = fmean(logits), stdev(logits)
        self.profiles = [[value / fmean(of) for value in of] for of in lee]

    def study(self, networks: int, images: int, rho: float) -> float:
        """Spearman's correlation of one simulated study."""
        chosen = [self.draw.randrange(len(self.profiles[0])) for _ in range(images)]
        seen = [fmean(profile[image] for image in chosen) for profile in self.profiles]
        lee, accuracy = [], []
        for _ in range(networks):
            a, b = self.draw.gauss(0, 1), self.draw.gauss(0, 1)
            true = 1 / (1 + math.exp(-(self.logit + self.logit_deviation * a)))
            log = self.log + self.log_deviation * (rho * a + math.sqrt(1 - rho * rho) * b)
            lee.append(log + math.log(self.draw.choice(seen)))
            accuracy.append(true + self.draw.gauss(0, math.sqrt(true * (1 - true) / images)))
        return correlation(ranks(lee), ranks(accuracy))

    def power(self, networks: int, images: int, rho: float, studies: int) -> float:
        """The share of simulated studies that find LEE to fall as accuracy rises."""
        return fmean(is_below_zero(self.study(networks, images, rho), networks) for _ in range(studies))


def main() -> None:
    """Prints two tables in Markdown."""
    parser = argparse.ArgumentParser(description="How many networks and images a study needs.")
    parser.add_argument("store", type=Path)
    parser.add_argument("--set", default="test")
    parser.add_argument("--output", default="softmax")
    parser.add_argument("--generator", default="translate_x")
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    lee, accuracies = measured(arguments.store, arguments.set, arguments.output, arguments.generator)
    world = World(lee, accuracies, arguments.seed)
    spread = [stdev(profile) for profile in world.profiles]
    print(
        f"{len(lee)} networks, {len(lee[0])} images ({arguments.output}, {arguments.generator}): log LEE has a standard "
        f"deviation of {world.log_deviation:.2f} between networks, the logit of accuracy {world.logit_deviation:.2f}; LEE "
        f"of an image has {min(spread):.1f} to {max(spread):.1f} times its mean.\n"
    )
    print("| True correlation | " + " | ".join(f"{count} networks" for count in NETWORKS) + " |")
    print("|---|" + "---|" * len(NETWORKS))
    for rho in (0.0, *CORRELATIONS):
        shares = [world.power(count, 100, rho, arguments.studies) for count in NETWORKS]
        print(f"| {rho:g} | " + " | ".join(f"{100 * share:.0f} %" for share in shares) + " |")
    print("\n| Images | " + " | ".join(f"{count} networks" for count in NETWORKS) + " |")
    print("|---|" + "---|" * len(NETWORKS))
    for images in IMAGES:
        shares = [world.power(count, images, -0.5, arguments.studies) for count in NETWORKS]
        print(f"| {images} | " + " | ".join(f"{100 * share:.0f} %" for share in shares) + " |")


if __name__ == "__main__":
    main()
