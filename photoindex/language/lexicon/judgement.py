"""What a person decided where WordNet alone would mislead, each with its reason. `derive` reads this."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ANIMAL, ARTIFACT = 5, 6  # WordNet's lexicographer files

# Words whose usual sense in a photo's caption is not the usual one of newspapers and novels, where one bears a loss
# and trains a dog: the first sense in this file is the only one.
PHOTO_SENSES: Final = {
    "bear": ANIMAL,
    "boat": ARTIFACT,
    "bridge": ARTIFACT,
    "cow": ANIMAL,
    "duck": ANIMAL,
    "fish": ANIMAL,
    "plane": ARTIFACT,
    "train": ARTIFACT,
    "truck": ARTIFACT,
}

# Where the order of the classes leaves a choice and the first fitting sense is wrong, or the label is spelt otherwise
# than in WordNet: the offset of the class's synset, which is the number in its ImageNet name (n02012849).
CLASSES: Final = {
    "crane bird": 2012849,
    "maillot tank suit": 3710721,
    "kit fox": 2119789,
    "tabby": 2123045,
    "ox": 2403003,
    "amphibian": 2704792,
    "beaker": 2815834,
    "bib": 2834397,
    "binder": 2840245,
    "bow": 2879718,
    "brass": 2892201,
    "cannon": 2950826,
    "cloak": 3045698,
    "clog": 3047690,
    "envelope": 3291819,
    "file": 3337140,
    "fountain": 3388043,
    "grille": 3459775,
    "half track": 3478589,
    "hook": 3532672,
    "jersey": 3595614,
    "library": 3661043,
    "monitor": 3782006,
    "mortar": 3786901,
    "pick": 3929660,
    "pier": 3933933,
    "pinwheel": 3944341,
    "planetarium": 3956157,
    "pot": 3991062,
    "printer": 4004767,
    "rotisserie": 4111531,
    "scale": 4141975,
    "screen": 4152593,
    "slot": 4243546,
    "snorkel": 4251144,
    "spatula": 4270147,
    "spider web": 4275548,
    "spindle": 4277352,
    "switch": 4372370,
    "tank": 4389033,
    "yawl": 4612504,
    "volcano": 9472597,
    "groom": 10148035,
    "corn": 12144580,
    "buckeye": 12768682,
}
# Names above a class that nobody searches for, because they say next to nothing or are not said so.
TOO_BROAD: Final = frozenset(
    (
        "article attachment attire barrier being commodity connection construction container control cover covering"
        " craft creature cushioning decoration device equipment feed fixing formation game garb headdress hose housing"
        " individual instrument instrumentality instrumentation light liquid location material matter mechanism medium"
        " object organism outlet pant part participant pattern peer piece portion produce product protection seed"
        " setup shade shape signal solid someone stick string structure substance support surface system transport"
        " vertical wear work works wrapping"
    ).split()
)

# Names that people search for and the captions the models learned from happen to lack.
MORE_NAMES: Final = frozenset(
    (
        "aircraft amphibian antelope ape armor beetle bookshop bra bulldozer chimp citrus corgi courgette crossword"
        " crustacean drink ferret finch fungus hawk heron hippo keypad ladybird lemur lighthouse lizard lobster"
        " locomotive mushroom orca owl panda parrot pistol puma reptile rickshaw rodent salamander saxophone schnauzer"
        " seabird setter shark shellfish skillet spaniel spider stork taxi toad tram trolley waterfowl weapon whale"
        " wolf worm"
    ).split()
) | {"musical instrument", "hair dryer", "vacuum cleaner", "red panda", "lollipop"}

# Other names of a class that hold a word for something else (a hippopotamus is no horse), or that nobody uses.
MISLEADING_NAMES: Final = frozenset(
    {
        "army tank", "back pack", "bathing tub", "bear cat", "bee house", "blue jack", "boat paddle", "carriage dog",
        "cat bear", "church building", "coach dog", "day bed", "eastern fox squirrel", "eating house", "eating place",
        "fixed disk", "food market", "garden cart", "gas helmet", "grand", "grass snake", "hedgehog", "high bar",
        "landrover", "lawn cart", "monkey dog", "mud puppy", "native bear", "pant", "patten", "piano accordion",
        "police wagon", "prison house", "pug-dog", "pizza pie", "ring snake", "river horse", "rock snake", "sea-coast",
        "snake fence", "snake-rail fence", "speaker system", "suit of clothes", "sweet potato", "television system",
        "vertical", "walkingstick", "wash-hand basin", "water ox", "drop-off", "poke bonnet", "tow car", "two-piece",
        "paddle wheel", "red hot", "all-terrain bike", "meat market",
    }
)  # fmt: skip
# Classes whose place in WordNet is not what their photos are of, or misses the word that everybody has for them.
KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    # Parts of a train are no trains, nor a sailing boat a boat, to WordNet.
    "bullet train": ("train", "vehicle"),
    "electric locomotive": ("train", "locomotive", "vehicle"),
    "freight car": ("train", "vehicle"),
    "passenger car": ("train", "carriage", "vehicle"),
    "steam locomotive": ("train", "locomotive", "vehicle"),
    "catamaran": ("sailboat", "boat", "vehicle"),
    "schooner": ("ship", "sailboat", "boat", "vehicle"),
    "trimaran": ("sailboat", "boat", "vehicle"),
    "yawl": ("sailboat", "boat", "vehicle"),
    # Machines of one use.
    "go-kart": ("car", "vehicle"),
    "motor scooter": ("scooter", "motorcycle", "vehicle"),
    "television": ("tv",),
    "warplane": ("airplane", "military plane", "aircraft", "vehicle"),
    # Clothes and things at home.
    "cup": ("drink",),
    "jack-o'-lantern": ("pumpkin", "lamp"),
    "maillot": ("swimsuit", "clothing"),
    "swing": ("playground",),
    # Plants and food.
    "acorn": ("nut",),
    "buckeye": ("nut",),
    "corn": ("vegetable", "food"),
    "ear": ("corn", "vegetable", "food"),
    "hay": (),
    "menu": (),
    "mushroom": ("fungus",),
    "rapeseed": ("flower", "plant"),
    # Not what a person means by a ridge, a factory, a computer or a pool.
    "coral reef": (),
    "lumbermill": (),
    "rain barrel": (),
    "sandbar": ("beach",),
    "seashore": ("beach", "coast", "shore"),
    "lakeside": ("lake", "shore"),
    "slide rule": (),
    "web site": (),
}
# Words under which people search for next to nothing, or that say little of what is below them: "kitchen" is not
# traded for "room", nor "beard" for "hair".
NOT_TRADED_FOR: Final = frozenset(
    (
        "artist building bush chair cord dirt event fairy food friend grass ground group hair leather member metal"
        " official paper person plant platform player room slope someone speaker spectator student tube weed wind wood"
    ).split()
)

# Words that WordNet would trade for something they seldom are in a photo: a scooter is no boat, a batter no dough.
NOT_TRADED: Final = frozenset(
    "bank batter boa climber crane disc fry helping individual jersey person pike plating record rose scooter serving"
    " someone suite turkey walker".split()
)

# Everyday words of captions that stand for each other, or nearly. WordNet lacks them, has them under another sense, or
# does not join adjectives to their nouns and spellings to each other.
ALIKE: Final[Mapping[float, tuple[str, ...]]] = {
    0.9: (
        "gray grey", "color colour", "tv television", "couch sofa", "fridge refrigerator", "donut doughnut",
        "airplane plane aeroplane", "eyeglasses spectacles", "moustache mustache", "theater theatre", "tire tyre",
        "mom mum mother mommy mummy", "dad father daddy", "motorbike motorcycle", "photo photograph",
        "bicyclist cyclist", "cellphone smartphone", "surfer surfboarder", "pajamas pyjamas", "hug embrace",
    ),
    0.8: (
        "car automobile", "child kid", "woman lady", "man guy", "ocean sea", "forest woods", "road street",
        "sidewalk pavement", "path trail", "trousers pants", "bathroom restroom", "rabbit bunny", "jump leap",
        "seaside seashore shore", "lawn yard", "stairs steps staircase stairway", "burger hamburger", "rug carpet",
        "throw toss", "large big", "large huge", "small little", "small tiny", "elderly old", "sundown sunset",
        "dawn sunrise", "asleep sleep", "nap sleep", "lay lie", "sit seated", "jog run", "grin smile", "talk chat",
        "stroll walk", "gaze stare", "bathtub tub", "bucket pail", "snow snowy", "grass grassy", "mud muddy",
        "cloud cloudy", "rain rainy", "fog foggy", "beard bearded", "wood wooden", "rock rocky", "sand sandy",
        "sun sunny", "stripe striped", "veggie vegetable", "gym gymnasium", "swimsuit swimwear",
        "creek stream", "policeman cop", "phone telephone", "tram streetcar", "baby infant", "shop store",
    ),
    0.6: (
        "picture photo", "image photo", "river stream", "lake pond", "rock stone", "boulder rock", "sweater sweatshirt",
        "sweatshirt hoodie", "coat jacket", "cap hat", "bike bicycle", "bike motorcycle", "mug cup", "beach shore",
        "football soccer", "meadow field", "backyard yard", "garden yard", "path road", "dusk sunset", "toddler child",
        "toddler baby", "kitten cat", "computer laptop", "oven stove", "boat ship", "sled sleigh", "house home",
        "truck pickup", "wood woods", "hill mountain", "fluffy furry", "bathroom toilet", "crowd group",
    ),
}  # fmt: skip

# What is searched for by one word and called by another, one way.
STANDS_FOR: Final[Mapping[str, Mapping[str, float]]] = {
    # Words for a thing as a person speaks.
    "auto": {"car": 0.8},
    "biker": {"cyclist": 0.6, "motorcyclist": 0.6, "bicyclist": 0.6, "bike": 0.3},
    "canine": {"dog": 0.8},
    "doggy": {"dog": 0.9, "puppy": 0.6},
    "doggie": {"dog": 0.9, "puppy": 0.6},
    "dude": {"man": 0.8, "guy": 0.9},
    "feline": {"cat": 0.8},
    "gentleman": {"man": 0.7},
    "kitty": {"cat": 0.8, "kitten": 0.8},
    "locomotive": {"train": 0.8},
    "lorry": {"truck": 0.9},
    "metro": {"subway": 0.8, "train": 0.5},
    "mobile": {"phone": 0.6, "cellphone": 0.8},
    "pooch": {"dog": 0.9},
    "railway": {"railroad": 0.8, "train": 0.6},
    "pup": {"puppy": 0.9, "dog": 0.6},
    "shades": {"sunglasses": 0.6},
    "smartphone": {"phone": 0.8},
    "cellphone": {"phone": 0.8},
    "coast": {"beach": 0.5, "shore": 0.8},
    "seaside": {"beach": 0.7, "ocean": 0.5},
    "sneaker": {"shoe": 0.6},
    "soda": {"drink": 0.5},
    "sunglasses": {"glasses": 0.4},
    "taxi": {"cab": 0.8, "car": 0.4},
    "tee": {"shirt": 0.6},
    "trainers": {"shoe": 0.5, "sneaker": 0.8},
    "yacht": {"boat": 0.6},
    # What falls under a word for a whole class of things.
    "aircraft": {"airplane": 0.7, "plane": 0.7, "jet": 0.6, "helicopter": 0.5},
    "animal": dict.fromkeys("bear bird cat cow dog elephant giraffe horse sheep zebra".split(), 0.3),
    "fruit": {"apple": 0.5, "banana": 0.5, "orange": 0.3},
    "pet": {"cat": 0.4, "dog": 0.4},
    "vehicle": {"bus": 0.4, "car": 0.5, "motorcycle": 0.3, "truck": 0.5, "van": 0.4},
}
