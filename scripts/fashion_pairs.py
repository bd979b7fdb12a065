"""What family, recipe and size do to LEE in the study that `make study-fashion` measures, as tables in Markdown.

    python3 scripts/fashion_pairs.py [results/fashion/study.db]

Ratios are geometric means over pairs of networks that differ in one thing, of each network's geometric mean over the
images of Fashion-MNIST. Pairs of the same kind are averaged over seeds first; the interval is Student's over kinds of
pairs, and the one behind it Student's over seeds, each seed the mean over all kinds: what training anew changes.
The second table is of layers: the patch embedding's share in each transformer and mixer.
"""

from __future__ import annotations

import math
import sqlite3
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable

# Student's 97.5 % quantiles by degrees of freedom.
STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262, 10: 2.228, 11: 2.201}

Kind = tuple[str, str, str, int]
# What is compared: which networks stand above, and what each is divided by.
PAIRS: dict[str, tuple[Callable[[Kind], bool], Callable[[Kind], Kind]]] = {
    "ViT over CNN": (lambda kind: kind[0] == "vit", lambda kind: ("cnn", *kind[1:])),
    "mixer over CNN": (lambda kind: kind[0] == "mixer", lambda kind: ("cnn", *kind[1:])),
    "shifted over plain": (lambda kind: kind[2] == "shifted", lambda kind: (*kind[:2], "plain", kind[3])),
    "large over small": (lambda kind: kind[1] == "large", lambda kind: (kind[0], "small", *kind[2:])),
}


def mean(values: Iterable[float]) -> float:
    values = list(values)
    return sum(values) / len(values)


def interval(logs: list[float]) -> str:
    """The geometric mean's interval, of logarithms."""
    if len(logs) < 2:
        return "–"
    middle, free = mean(logs), len(logs) - 1
    half = STUDENT.get(free, 2.0) * math.sqrt(sum((log - middle) ** 2 for log in logs) / free / len(logs))
    return f"{math.exp(middle - half):.3g}–{math.exp(middle + half):.3g}"


def kinds(store: sqlite3.Connection) -> dict[int, Kind]:
    columns: dict[int, dict[str, str]] = defaultdict(dict)
    for network, name, words, number in store.execute("SELECT network, name, words, number FROM network_column"):
        columns[network][name] = words if words is not None else number
    return {
        network: (family, columns[network]["size"], columns[network]["recipe"], int(float(columns[network]["seed"])))
        for network, family in store.execute("SELECT id, family FROM network")
    }


def ratios(store: sqlite3.Connection, kind_of: dict[int, Kind]) -> None:
    logs: dict[tuple[str, str, Kind], list[float]] = defaultdict(list)
    query = """SELECT l.network, l.output, l.generator, l.lee FROM lee l JOIN image i ON i.id = l.image
               JOIN image_set s ON s.id = i.image_set WHERE s.name = 'fashion' AND l.lee > 0"""
    for network, output, generator, lee in store.execute(query):
        logs[output, generator, kind_of[network]].append(math.log(lee))
    outputs = sorted({(output, generator) for output, generator, _ in logs})
    chosen = [of for of in outputs if of[1] in ("translate_x", "rotate")]
    print("| LEE of | " + " | ".join(f"{output}, {generator}" for output, generator in chosen) + " |")
    print("|---" * (len(chosen) + 1) + "|")
    for name, (is_above, below) in PAIRS.items():
        cells = []
        for output, generator in chosen:
            by_kind: dict[tuple[str, str, str], list[float]] = defaultdict(list)
            by_seed: dict[int, list[float]] = defaultdict(list)
            for kind in filter(is_above, kind_of.values()):
                pair = [logs[output, generator, of] for of in (kind, below(kind))]
                if all(pair):
                    log = mean(pair[0]) - mean(pair[1])
                    by_kind[kind[:3]].append(log)
                    by_seed[kind[3]].append(log)
            found = [mean(of) for of in by_kind.values()]
            seeds = [mean(of) for of in by_seed.values()]
            cells.append(f"{math.exp(mean(found)):.3g} ({interval(found)}; {interval(seeds)})" if found else "–")
        print(f"| {name} | " + " | ".join(cells) + " |")


def layers(store: sqlite3.Connection, kind_of: dict[int, Kind]) -> None:
    whole = dict(store.execute("SELECT network, SUM(lee) FROM attribution WHERE generator = 'translate_x' GROUP BY network"))
    found: dict[int, list[tuple[int, str, str, float, float]]] = defaultdict(list)
    query = """SELECT network, place, name, class, SUM(contribution), SUM(signed) FROM layer
               WHERE generator = 'translate_x' GROUP BY network, place ORDER BY network, place"""
    for network, place, name, of, contribution, signed in store.execute(query):
        found[network].append((place, name, of, contribution, signed))
    print("\n| Network | embedding's contribution | its signed share | the worst layer |")
    print("|---|---|---|---|")
    leads = count = 0
    for network, kind in sorted(kind_of.items(), key=lambda item: item[1]):
        rows = found.get(network)
        if kind[0] == "cnn" or not rows:
            continue
        total = sum(row[3] for row in rows)
        embedding = next(row for row in rows if row[2] == "patch-embedding")
        worst = max(rows, key=lambda row: row[3])
        count += 1
        leads += worst is embedding
        shares = f"{100 * embedding[3] / total:.0f} % | {100 * embedding[4] / whole[network]:.0f} %"
        print(f"| {' '.join(map(str, kind))} | {shares} | {worst[1]} ({100 * worst[3] / total:.0f} %) |")
    print(f"\nThe patch embedding has the largest contribution in {leads} of {count}.")


def main() -> None:
    path = sys.argv[1] if len(sys.argv) > 1 else "results/fashion/study.db"
    store = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    kind_of = kinds(store)
    ratios(store, kind_of)
    layers(store, kind_of)


if __name__ == "__main__":
    main()
