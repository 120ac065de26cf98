"""Make the outline of land that the gallery's map draws, photoindex/web/static/land.json.

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python docs/make_land.py package/land-50m.json photoindex/web/static/land.json

world-atlas has Natural Earth's coasts at 1:50 million as TopoJSON: arcs of whole numbers, each point as the way from
the one before, and polygons of arcs. Written is {"scale": points to a degree, "rings": [[x, y, dx, dy, ...]]}: of each
ring the first point, and then the way from each to the next. A ring that crosses the date line goes on beyond 180
degrees, so that no line is drawn around the globe.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

SCALE = 50  # points to a degree: 2 km at the equator
SMALLEST = 4  # points of a ring that is kept: the first is the last again

Point = tuple[float, float]


def arcs_of(topology: dict[str, Any]) -> list[list[Point]]:
    """Return the arcs in degrees (longitude, latitude)."""
    (wide, tall), (west, south) = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs = []
    for arc in topology["arcs"]:
        x = y = 0
        points: list[Point] = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append((x * wide + west, y * tall + south))
        arcs.append(points)
    return arcs


def rings_of(topology: dict[str, Any]) -> Iterator[list[Point]]:
    """Yield the rings of all polygons; the first point is the last again."""
    arcs = arcs_of(topology)
    waiting = [topology["objects"]["land"]]
    while waiting:
        shape = waiting.pop()
        waiting += shape.get("geometries", [])
        polygons = shape.get("arcs", [])
        for polygon in [polygons] if shape["type"] == "Polygon" else polygons:
            for ring in polygon:
                points: list[Point] = []
                for number in ring:  # ~number: backwards
                    arc = arcs[number] if number >= 0 else arcs[~number][::-1]
                    points += arc[1:] if points else arc
                yield points


def beyond_the_date_line(points: list[Point]) -> list[Point]:
    """Return a ring whose longitudes go on where they leap from one side of the globe to the other."""
    around = 0.0
    found = points[:1]
    for (before, _), (x, y) in pairwise(points):
        if abs(x - before) > 180:
            around += 360 if x < before else -360
        found.append((x + around, y))
    return found


def compact(points: list[Point]) -> list[int]:
    """Return a ring in steps; points that fall together are one, and one on the way from its neighbours is left out."""
    rounded = [(round(x * SCALE), round(y * SCALE)) for x, y in points]
    kept: list[tuple[int, int]] = []
    for point in rounded:
        if kept and point == kept[-1]:
            continue
        if len(kept) > 1 and _is_between(kept[-2], kept[-1], point):
            kept.pop()
        kept.append(point)
    if len(kept) < SMALLEST:
        return []
    steps = [(x - ox, y - oy) for (ox, oy), (x, y) in pairwise(kept)]
    return [number for pair in (kept[0], *steps) for number in pair]


def _is_between(one: tuple[int, int], middle: tuple[int, int], other: tuple[int, int]) -> bool:
    (ax, ay), (bx, by), (cx, cy) = one, middle, other
    is_straight = (bx - ax) * (cy - ay) == (cx - ax) * (by - ay)
    return is_straight and (bx - ax) * (cx - bx) + (by - ay) * (cy - by) > 0


def main() -> None:
    given, made = map(Path, sys.argv[1:])
    topology = json.loads(given.read_text("utf-8"))
    rings = [ring for points in rings_of(topology) if (ring := compact(beyond_the_date_line(points)))]
    made.write_text(json.dumps({"scale": SCALE, "rings": rings}, separators=(",", ":")), "utf-8")
    print(f"{made}: {len(rings):,} rings, {sum(map(len, rings)) // 2:,} points, {made.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
