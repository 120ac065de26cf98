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
import math
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

SCALE = 50  # points to a degree: 2 km at the equator
TOLERANCE = 0.02  # degrees
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


def simplified(points: list[Point]) -> list[Point]:
    """Return a ring without the points that lie nearer than :data:`TOLERANCE` to the line without them (Douglas and
    Peucker, 1973)."""
    kept = {0, len(points) - 1}
    # A ring has no two ends: the point farthest from its first is the other one.
    farthest = max(range(len(points)), key=lambda n: math.dist(points[0], points[n]))
    waiting = [(0, farthest), (farthest, len(points) - 1)]
    kept.add(farthest)
    while waiting:
        first, last = waiting.pop()
        if last - first < 2:
            continue
        middle = max(range(first + 1, last), key=lambda n: _distance(points[n], points[first], points[last]))
        if _distance(points[middle], points[first], points[last]) > TOLERANCE:
            kept.add(middle)
            waiting += [(first, middle), (middle, last)]
    return [points[place] for place in sorted(kept)]


def _distance(point: Point, one: Point, other: Point) -> float:
    """Return how far a point is from the line between two others."""
    (x, y), (ax, ay), (bx, by) = point, one, other
    length = (bx - ax) ** 2 + (by - ay) ** 2
    share = min(1.0, max(0.0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length)) if length else 0.0
    return math.hypot(x - ax - share * (bx - ax), y - ay - share * (by - ay))


def compact(points: list[Point]) -> list[int]:
    """Return a ring in steps, points that fall together as one; nothing for one that is too small to be seen."""
    rounded = [(round(x * SCALE), round(y * SCALE)) for x, y in simplified(points)]
    kept = [point for place, point in enumerate(rounded) if not place or point != rounded[place - 1]]
    if len(kept) < SMALLEST:
        return []
    steps = [(x - ox, y - oy) for (ox, oy), (x, y) in pairwise(kept)]
    return [number for pair in (kept[0], *steps) for number in pair]


def main() -> None:
    given, made = map(Path, sys.argv[1:])
    topology = json.loads(given.read_text("utf-8"))
    rings = [ring for points in rings_of(topology) if (ring := compact(beyond_the_date_line(points)))]
    made.write_text(json.dumps({"scale": SCALE, "rings": rings}, separators=(",", ":")), "utf-8")
    print(f"{made}: {len(rings):,} rings, {sum(map(len, rings)) // 2:,} points, {made.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
