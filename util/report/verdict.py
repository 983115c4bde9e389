"""What a comparison found, in words: who is first and whether that could be chance, p-values, shares, counts."""

from __future__ import annotations

import math

from dominate import tags

from util.statistics.ranking import SetRanking


def verdict(ranking: SetRanking) -> tags.p:
    """Who is first, and whether that could be chance, in a sentence."""
    names, pairs, positions = ranking.of.methods, ranking.pairs, ranking.overall.positions()
    order = ranking.overall.order()
    line = tags.p(cls="verdict")
    if positions.count(1) > 1:
        *others, last = (tags.strong(names[method]) for method in order if positions[method] == 1)
        for number, name in enumerate(others):
            line.add(", " if number else "", name)
        line.add(" and ", last, " share the first place.")
        return line
    first, second = order[:2]
    p, found = p_text(pairs.overall_adjusted[first, second]), pairs.overall_significant[first, second]
    line.add(tags.strong(names[first]), " comes first, before ", tags.strong(names[second]))
    if pairs.images < pairs.overall_images_needed:
        line.add(
            f". Whether that is chance cannot be said from {count_text(pairs.images, 'image')}: "
            f"{pairs.overall_images_needed} or more are needed, and intervals of so few are too narrow."
        )
    elif found > 0:
        distance = ranking.distance(first, second)
        line.add(f", by more than chance would explain ({p})")
        if not math.isnan(distance):
            line.add(", although " if distance < 0 else ": ", distance_text(distance))
        line.add(".")
    elif found < 0:
        line.add(f" by the mean rank, although over the images it is significantly behind ({p}).")
    else:
        line.add(f", but by no more than chance may explain ({p}).")
    return line


def distance_text(distance: float) -> str:
    """`SetRanking.distance` in words, of the method that is named first."""
    if distance == 0:
        return "its means are the same in the median metric"
    size = percent(abs(distance)).replace("<", "less than")
    return f"its means are {size} {'better' if distance > 0 else 'worse'} in the median metric"


def p_text(p: float) -> str:
    """A p-value as one writes it."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def percent(share: float) -> str:
    """A share from zero up with two digits, or in whole percents; a dash for NaN."""
    hundredths = 100 * share
    if math.isnan(share):
        return "–"
    if 0 < hundredths < 0.01:
        return "< 0.01 %"
    return f"{hundredths:.2g} %" if hundredths < 99.5 else f"{hundredths:.0f} %"


def signed_percent(share: float) -> str:
    """As `percent`, with a sign where it is not zero."""
    if 0 < abs(share) < 1e-4:
        return "< +0.01 %" if share > 0 else "> −0.01 %"
    return ("+" if share > 0 else "−" if share < 0 else "") + percent(abs(share))


def count_text(number: int, what: str) -> str:
    """A number of things, which are one or several."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
