"""How often captions name things that people do not see in the photo: CHAIR (Rohrbach et al. 2018, arXiv:1809.02156).

The things are MS-COCO's 80 object classes, each with everyday words for it, as in the paper; the list is ours and
shorter. Without COCO's drawn boxes a thing counts as there when one of the photo's reference captions names it, so that
the figures are an upper bound: people leave out what they find unimportant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from photoindex.language.analysis import content_words, stem

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


def objects_in(caption: str) -> set[int]:
    """The numbers of the things that a caption names."""
    stems = [stem(word) for word in content_words(caption)]
    found = set()
    joined = {place: f"{a} {b}" for place, (a, b) in enumerate(pairwise(stems)) if f"{a} {b}" in _COMPOUNDS}
    covered = {place + offset for place in joined for offset in (0, 1)}
    for place, word in enumerate(stems):
        name = _COMPOUNDS[joined[place]] if place in joined else (None if place in covered else word)
        if name in _OBJECT_OF:
            found.add(_OBJECT_OF[name])
    return found


def score_hallucination(captions: Sequence[str], references: Sequence[Sequence[str]]) -> Hallucination:
    """One caption a photo against that photo's reference captions; both lists in the same order."""
    named = wrong = captions_wrong = 0
    for caption, people in zip(captions, references, strict=True):
        said = objects_in(caption)
        invented = said - set().union(*(objects_in(text) for text in people))
        named += len(said)
        wrong += len(invented)
        captions_wrong += bool(invented)
    return Hallucination(100 * wrong / max(1, named), 100 * captions_wrong / max(1, len(captions)), named)
