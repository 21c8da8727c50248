"""Words: how text becomes the terms of the index, the same for what is found and for what is looked for.

One way for both databases and for all languages: letters lose their case and their marks, Arabic and Persian letters
that people write for each other become one, and words lose the endings and the article that most often differ.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

LONGEST_TERM: Final = 40  # characters; what comes after says nothing
_WORD: Final = re.compile(r"\w+", re.UNICODE)
#: A code such as CS-101, which people write together or apart.
_CODE: Final = re.compile(r"(?<!\w)([a-z]{1,6})[-–. ]?(\d{1,5}[a-z]?)(?!\w)")
#: C++ and C#, which would be C without their signs.
_SIGNS: Final = re.compile(r"(?<!\w)([a-z])(\+\+|#)")
_SPOKEN: Final = {"++": "plusplus", "#": "sharp"}
_NON_JOINER: Final = "\u200c"
#: What Unicode does not take apart.
_LETTERS: Final = str.maketrans(
    {
        "æ": "ae",
        "œ": "oe",
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ı": "i",
        "ـ": "",  # tatweel, which only makes a word longer
        "\u200c": "",  # see `apart`
        "\u200d": "",
        "'": "",
        "’": "",
        "ى": "ي",
        "ی": "ي",
        "ې": "ي",
        "ک": "ك",
        "ة": "ه",
        "ۀ": "ه",
        "ھ": "ه",
        "ہ": "ه",
        "ٱ": "ا",
    }
)
#: Words that nearly every text has; a query of more than these is not about them.
_STOP_WORDS: Final = (
    "a an and are at by for from how in is it of on or the to what with you your "
    "als am auf aus bei das dem den der des die ein eine einen fur im ist mit und von wie zu zum zur "
    "au aux ce ces comment de des du en et la le les ou par pour que sur un une "
    "con como del el las los para por sin una y "
    "الى او عن على في كيف ما من هذا هذه و "
    "از اين با براي به تا در را كه چگونه"
)
STOP_WORDS: Final = frozenset(_STOP_WORDS.split())


@lru_cache(20_000)
def fold(text: str) -> str:
    """Return *text* without case, marks and ways of writing.

    >>> fold("Éxámen Straße Łódź")
    'examen strasse lodz'
    """
    if text.isascii():
        return text.lower().replace("'", "")
    return "".join(map(_plain, unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS)))).translate(_LETTERS)


def words(text: str) -> list[str]:
    """Return the folded words of *text* in their order; a code is its parts.

    >>> words("CS101: C++ for everyone")
    ['cs', '101', 'cplusplus', 'for', 'everyone']
    """
    return [word[:LONGEST_TERM] for word in _WORD.findall(_CODE.sub(r"\1 \2", _spoken(text)))]


def apart(text: str) -> list[str]:
    """Return the words of *text*, and the parts of those that Persian writes as one without joining their letters.

    People write such words in all three ways: joined, apart, and with the character between that joins nothing.

    >>> apart("روان\u200cشناسی")
    ['روانشناسي', 'روان', 'شناسي']
    """
    compounds = [word for word in text.split() if _NON_JOINER in word]
    return words(text) + [part for word in compounds for part in words(word.replace(_NON_JOINER, " "))]


def name_of(text: str) -> str:
    """Return what two names that count as the same have in common.

    >>> name_of("CS 101") == name_of("cs-101")
    True
    """
    return " ".join(_WORD.findall(_CODE.sub(r"\1\2", _spoken(text))))


def stem(word: str) -> str:
    """Return *word* without the endings, and the article, that most often differ; light, for no one language.

    >>> stem("databases"), stem("studies"), stem("class"), stem("البرمجه")
    ('database', 'study', 'class', 'برمجه')
    """
    if word.startswith("ال") and len(word) > 4:
        return word[2:]
    if word.endswith("ies") and len(word) > 5:
        return word[:-3] + "y"
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        return word[:-1]
    return word


def deletions(word: str) -> set[str]:
    """Return *word* and what becomes of it when any one letter is left out.

    Two words share one of these if one letter was left out, put in, mistaken or exchanged with the next.
    """
    return {word, *(word[:place] + word[place + 1 :] for place in range(len(word)))}


def one_slip(one: str, other: str) -> bool:
    """Return whether one letter left out, put in, mistaken or exchanged with the next makes *other* of *one*.

    >>> one_slip("pyhton", "python"), one_slip("pythn", "python"), one_slip("java", "lava"), one_slip("abc", "cab")
    (True, True, True, False)
    """
    start = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    left, right = one[start:], other[start:]
    exchanged = len(left) > 1 and left[:2] == right[1::-1] and left[2:] == right[2:]
    return left[1:] == right[1:] or left[1:] == right or left == right[1:] or exchanged


def _plain(letter: str) -> str:
    if unicodedata.combining(letter):
        return ""
    return str(unicodedata.digit(letter)) if letter.isdigit() else letter


def _spoken(text: str) -> str:
    return _SIGNS.sub(lambda found: found[1] + _SPOKEN[found[2]], fold(text))
