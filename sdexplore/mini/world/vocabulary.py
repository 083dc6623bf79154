"""The words of the emoji world: things, colours, places and styles, and how captions spell them.

The order of every table is part of the world. Scenes are drawn by index from a seeded generator, so an entry that is
inserted anywhere but at the end changes the scene of every seed.
"""

from collections.abc import Mapping
from types import MappingProxyType

# "|" stands between synonyms, the usual name first. The glyph follows the last space.
_GLYPHS = """
    astronaut|spaceman 🧑‍🚀, horse|pony 🐎, bird 🐦, cat|kitten 🐱, dog|puppy 🐶,
    fox 🦊, bear 🐻, panda 🐼, koala 🐨, tiger 🐯, lion 🦁, cow 🐮, pig 🐷,
    frog 🐸, monkey 🐵, chicken 🐔, penguin 🐧, duck 🦆, eagle 🦅, owl 🦉, bat 🦇,
    wolf 🐺, unicorn 🦄, bee 🐝, butterfly 🦋, snail 🐌, ladybug 🐞, spider 🕷️,
    turtle 🐢, snake 🐍, dinosaur 🦖, octopus 🐙, crab 🦀, fish 🐟, dolphin 🐬,
    whale 🐳, shark 🦈, elephant 🐘, camel 🐫, giraffe 🦒, rabbit|bunny 🐰, mouse 🐭,
    hamster 🐹, hedgehog 🦔, dragon 🐉, peacock 🦚, parrot 🦜, flamingo 🦩,
    cactus 🌵, tree 🌳, palm tree|palm 🌴, rose 🌹, sunflower 🌻, tulip 🌷,
    mushroom 🍄, apple 🍎, pear 🍐, orange 🍊, lemon 🍋, banana 🍌, watermelon 🍉,
    grapes 🍇, strawberry 🍓, cherries 🍒, peach 🍑, pineapple 🍍, tomato 🍅,
    avocado 🥑, carrot 🥕, corn 🌽, bread 🍞, cheese 🧀, pizza 🍕,
    burger|hamburger 🍔, fries 🍟, taco 🌮, sushi 🍣, cake 🎂, cookie 🍪, candy 🍬,
    donut 🍩, ice cream 🍦, coffee ☕, wine 🍷, beer 🍺, rocket 🚀,
    airplane|plane ✈️, helicopter 🚁, car 🚗, taxi 🚕, bus 🚌, train 🚂,
    bicycle|bike 🚲, motorcycle 🏍️, tractor 🚜, truck 🚚, ambulance 🚑, ship 🚢,
    sailboat|boat ⛵, anchor ⚓, ufo 🛸, moon 🌙, sun ☀️, planet|saturn 🪐,
    earth|globe 🌍, comet ☄️, cloud ☁️, rainbow 🌈, umbrella ☂️, snowman ⛄,
    fire 🔥, house 🏠, castle 🏰, church ⛪, tent ⛺, mountain 🏔️, volcano 🌋,
    clock ⏰, phone ☎️, laptop|computer 💻, camera 📷, television 📺, radio 📻,
    candle 🕯️, book 📕, pencil ✏️, key 🔑, lock 🔒, hammer 🔨, scissors ✂️,
    guitar 🎸, trumpet 🎺, violin 🎻, drum 🥁, soccer ball ⚽, basketball 🏀,
    football 🏈, trophy 🏆, crown 👑, hat 🎩, shoe 👟, glasses 👓, dress 👗,
    shirt 👕, backpack 🎒, gift|present 🎁, balloon 🎈, diamond|gem 💎, bell 🔔,
    robot 🤖, ghost 👻, alien 👽, skull 💀, clown 🤡, wizard 🧙, baby 👶, ninja 🥷,
    mermaid 🧜, vampire 🧛, snowflake ❄️, lightning ⚡, pumpkin 🎃, teddy bear 🧸,
    chair 🪑, bathtub 🛁, satellite 🛰️, telescope 🔭, microscope 🔬, magnet 🧲,
    lamp|light bulb 💡, egg 🥚
"""
_IRREGULAR = """
    mouse mice, fish fish, wolf wolves, scissors scissors, grapes grapes, cherries cherries,
    fries fries, glasses glasses, sheep sheep, sushi sushi, bread bread, butterfly butterflies,
    ladybug ladybugs, strawberry strawberries, puppy puppies, bunny bunnies, baby babies,
    lightning lightning, pony ponies, candy candies, trophy trophies, church churches, fox foxes,
    bus buses, ambulance ambulances, octopus octopuses, torch torches, dress dresses,
    cross crosses, peach peaches, television televisions
"""


def _pairs(table: str) -> dict[str, str]:
    """Reads "a b x, c y" as {"a b": "x", "c": "y"}."""
    entries = (entry.strip().rpartition(" ") for entry in table.split(","))
    return {name: last for name, _, last in entries}


GLYPHS: Mapping[tuple[str, ...], str] = MappingProxyType(
    {tuple(names.split("|")): glyph for names, glyph in _pairs(_GLYPHS).items()}
)
"""Names of a thing, the usual one first → its emoji. Entry n is tile n of the atlas."""

NAMES: tuple[tuple[str, ...], ...] = tuple(GLYPHS)
"""Names of every glyph, in the order of the atlas."""

SHAPES: tuple[str, ...] = ("circle", "square", "triangle", "star", "ring", "heart", "cross")
"""White tiles that follow the glyphs in the atlas. A scene tints each in one of COLORS."""

COLORS: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {
        "red": (220, 40, 40),
        "orange": (245, 140, 30),
        "yellow": (250, 215, 50),
        "green": (50, 165, 70),
        "blue": (45, 95, 220),
        "purple": (130, 60, 175),
        "pink": (245, 140, 190),
        "brown": (125, 80, 45),
        "black": (25, 25, 28),
        "white": (245, 245, 245),
        "gray": (140, 140, 145),
    }
)
"""Colours of shapes and plain backgrounds, RGB in 0..255."""

PLACES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "sky": ("in the sky", "flying in the sky", "in a blue sky"),
        "space": ("in space", "in outer space", "among the stars"),
        "grass": ("on the grass", "in a field", "in a meadow"),
        "beach": ("on the beach", "at the beach"),
        "sea": ("under water", "in the sea", "in the ocean"),
        "desert": ("in the desert", "on the sand"),
        "snow": ("in the snow", "in winter"),
        "mars": ("on mars", "on the surface of mars"),
        "night": ("at night", "in the night sky"),
        "sunset": ("at sunset", "at dusk"),
        "forest": ("in the forest", "in the woods"),
        "city": ("in the city", "in a city street"),
    }
)
"""Painted backgrounds → the phrases of captions for them."""

PLACE_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "sky": ("sky",),
        "space": ("space", "stars"),
        "grass": ("grass", "field", "meadow"),
        "beach": ("beach",),
        "sea": ("water", "sea", "ocean"),
        "desert": ("desert", "sand"),
        "snow": ("snow", "winter"),
        "mars": ("mars",),
        "night": ("night",),
        "sunset": ("sunset", "dusk"),
        "forest": ("forest", "woods"),
        "city": ("city",),
    }
)
"""Painted backgrounds → the words in those phrases that mean the background."""

BACKGROUNDS: tuple[str, ...] = (*COLORS, *PLACES)
"""Every background: plain colours, then places."""

STYLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "photo": (
            "a photo of",
            "a picture of",
            "an image of",
            "a photo of",
            "a photograph of",
            "",
        ),
        "pixel": ("a pixel art of", "pixel art of", "an 8-bit image of"),
        "mono": ("a black and white photo of", "a monochrome photo of"),
        "sepia": ("an old photo of", "a sepia photo of"),
        "blur": ("a blurry photo of", "an out of focus photo of"),
    }
)
"""Styles → the beginnings of captions. An entry that stands twice is drawn twice as often."""

FILLERS: tuple[str, ...] = (
    *("beautiful", "highly detailed", "cute", "4k", "digital art", "trending on artstation"),
    *("high quality", "nice", "amazing", "wonderful", "the best", "smiling", "looking at you"),
    *("flying", "running", "standing", "like a dream", "of my friend", "very happy", "realistic"),
    *("colorful", "in japan", "with a story"),
)
"""Usual words of prompts that no picture shows. The model learns to ignore them."""

COUNTS: Mapping[int, str] = MappingProxyType({2: "two", 3: "three", 4: "four"})
"""Number of equal things → its word."""

_PLURALS = _pairs(_IRREGULAR)
_UNCOUNTED = frozenset(
    (
        *("scissors", "grapes", "cherries", "fries", "glasses"),
        *("lightning", "fire", "sushi", "bread", "cheese"),
    )
)


def article(noun: str) -> str:
    """Returns the noun with its article, if it takes one: "an owl", "a unicorn", "scissors"."""
    if noun in _UNCOUNTED:
        return noun
    vowel = noun[:1] in tuple("aeiou") and not noun.startswith(("uni", "ufo"))
    return f"{'an' if vowel else 'a'} {noun}"


def plural(noun: str) -> str:
    """Returns the plural, as it stands after "two": "mice", "palm trees", "boxes"."""
    head, space, last = noun.rpartition(" ")
    regular = f"{last}es" if last.endswith(("s", "x")) else f"{last}s"
    return f"{head}{space}{_PLURALS.get(last, regular)}"
