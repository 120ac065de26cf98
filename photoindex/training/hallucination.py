"""How often captions name things that people do not see in the photo: CHAIR (Rohrbach et al. 2018, arXiv:1809.02156).

Persons are counted by themselves too: a person who is not there is the mistake that users notice first.

The things are MS-COCO's 80 object classes, each with everyday words for it, as in the paper; the list is ours and
shorter. Without COCO's drawn boxes a thing counts as there when one of the photo's reference captions names it, so that
the figures are an upper bound: people leave out what they find unimportant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from photoindex.language.analysis import content_words, stem
from photoindex.language.persons import names_person

# A thing a line: what it is called. Words for people are one thing; so are those for what cannot be told apart.
OBJECTS: Final = """
person man woman boy girl child kid people guy lady baby toddler skier surfer skateboarder player rider adult crowd
bicycle bike cyclist bicyclist
car automobile van suv taxi cab jeep
motorcycle motorbike scooter dirtbike motorcyclist
airplane plane jet aircraft airliner
bus
train locomotive
truck pickup lorry
boat ship sailboat canoe kayak raft rowboat ferry
bird duck goose pigeon seagull parrot owl
cat kitten
dog puppy dogs
horse pony
sheep lamb
cow cattle bull calf
elephant
bear
zebra
giraffe
backpack bag purse handbag suitcase luggage
umbrella parasol
tie necktie
frisbee disc
ski skis
snowboard snowboarder
ball football basketball soccer baseball volleyball
kite
bat racket racquet
skateboard
surfboard
bottle
cup mug glass wineglass
fork knife spoon
bowl
banana
apple
sandwich burger hamburger
orange
broccoli
carrot
pizza
donut doughnut
cake cupcake
chair stool
couch sofa
plant flower
bed
table desk
toilet urinal
tv television
laptop computer
phone cellphone
microwave oven stove
sink
refrigerator fridge
book
clock
vase
teddy
bench
hydrant
sign
"""


def _read(table: str) -> dict[str, int]:
    return {stem(word): number for number, line in enumerate(table.split("\n")) for word in line.split()}


_OBJECT_OF: Final = _read(OBJECTS)
# Two words that together are no such thing, or another.
_COMPOUNDS: Final = {"hot dog": None, "teddi bear": "teddi", "fire hydrant": "hydrant", "wine glass": "glass"}


@dataclass(frozen=True, slots=True)
class Hallucination:
    """Percentages: ``objects`` of the things named are in no reference caption, ``captions`` name at least one such."""

    objects: float
    captions: float
    named: int  # things named in all captions together


@dataclass(frozen=True, slots=True)
class PersonErrors:
    """``invented``: percentage of the photos of which no reference caption names a person, whose caption names one.
    ``missed``: percentage of the photos of which a reference caption names a person, whose caption names none.

    ``without`` and ``present`` are how many photos each percentage is of; the percentage of none is 0.
    """

    invented: float
    missed: float
    without: int
    present: int


@dataclass(frozen=True, slots=True)
class Variety:
    """``distinct`` captions among all, and the percentage of photos that got the ``commonest`` one."""

    distinct: int
    commonest: str
    share: float


def objects_in(caption: str) -> set[int]:
    """The numbers of the things that a caption names."""
    stems = [stem(word) for word in content_words(caption)]
    objects = set()
    joined = {place: f"{a} {b}" for place, (a, b) in enumerate(pairwise(stems)) if f"{a} {b}" in _COMPOUNDS}
    covered = {place + offset for place in joined for offset in (0, 1)}
    for place, word in enumerate(stems):
        name = _COMPOUNDS[joined[place]] if place in joined else (None if place in covered else word)
        if name in _OBJECT_OF:
            objects.add(_OBJECT_OF[name])
    return objects


def score_hallucination(captions: Sequence[str], references: Sequence[Sequence[str]]) -> Hallucination:
    """One caption a photo against that photo's reference captions; both lists in the same order."""
    named = wrong = captions_wrong = 0
    for caption, people in zip(captions, references, strict=True):
        objects = objects_in(caption)
        invented = objects - set().union(*(objects_in(text) for text in people))
        named += len(objects)
        wrong += len(invented)
        captions_wrong += bool(invented)
    return Hallucination(100 * wrong / max(1, named), 100 * captions_wrong / max(1, len(captions)), named)


def score_persons(captions: Sequence[str], references: Sequence[Sequence[str]]) -> PersonErrors:
    """One caption a photo against that photo's reference captions; both lists in the same order.

    In doubt a caption is given right: "a couple" and the like are neither an invented person nor a missed one.
    """
    invented = missed = without = present = 0
    for caption, people in zip(captions, references, strict=True):
        if any(names_person(text, surely=True) for text in people):
            present += 1
            missed += not names_person(caption)
        elif not any(names_person(text) for text in people):
            without += 1
            invented += names_person(caption, surely=True)
    return PersonErrors(100 * invented / max(1, without), 100 * missed / max(1, present), without, present)


def score_variety(captions: Sequence[str]) -> Variety:
    """How often the same is said of different photos."""
    counts = Counter(captions)
    commonest, times = max(counts.items(), key=lambda item: (item[1], item[0]), default=("", 0))
    return Variety(len(counts), commonest, 100 * times / max(1, len(captions)))
