"""Words that say that a human being is in a photo."""

from __future__ import annotations

from typing import Final

from photoindex.language.analysis import content_words, stem

PERSONS: Final = """
person people man woman boy girl child kid baby babies toddler infant guy lady ladies gentleman gentlemen adult teenager
teen human someone somebody individual pedestrian passenger crowd audience spectator friend
mother father mom dad parent son daughter brother sister grandmother grandfather husband wife bride groom bridesmaid
player athlete skier snowboarder surfer skateboarder skater swimmer diver runner jogger cyclist bicyclist biker
motorcyclist rider climber hiker golfer boxer wrestler footballer cricketer sportsman cowboy jockey
umpire referee goalie goalkeeper cheerleader gymnast
actor actress artist singer musician guitarist drummer dancer performer celebrity politician soldier officer
policeman policemen policewoman fireman firemen firefighter worker farmer fisherman fishermen chef doctor nurse teacher
student tourist businessman businesswoman monk nun
"""
# Said of human beings, but also of animals and of things: "a couple of zebras", "a ceiling fan", "a queen bed".
POSSIBLE_PERSONS: Final = """
couple family families team group crew fan model male female king queen princess pitcher batter catcher driver coach
racer priest
"""
PERSON_STEMS: Final = frozenset(stem(word) for word in PERSONS.split())
POSSIBLE_STEMS: Final = PERSON_STEMS | frozenset(stem(word) for word in POSSIBLE_PERSONS.split())


def names_person(text: str, *, surely: bool = False) -> bool:
    """Whether a text names a human being; with ``surely``, by a word that is said of nothing else."""
    known = PERSON_STEMS if surely else POSSIBLE_STEMS
    return any(stem(word) in known for word in content_words(text))
