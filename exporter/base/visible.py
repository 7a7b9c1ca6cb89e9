"""Text that anybody may have chosen, shown so that nobody is deceived by what is in it. Pure.

Names of containers and files, log lines and the labels of alerts can hold what is not seen and still acts: controls
that a terminal obeys, marks that turn the direction of what is beside them (https://www.unicode.org/reports/tr36/),
characters without a picture, halves of surrogates that no UTF-8 has. Wherever a person reads or decides, each is
written out: ``\\x1b``, ``\\u202e``, ``\\U000e0041``. Letters of all scripts, and what joins to them, stay.
"""

import re
import unicodedata

_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode's controls, formats, surrogates, private and unassigned characters, separators of lines and paragraphs."""
_BLANK = (
    {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x2800, 0x3164, 0xFFA0, 0x1D159}
    | set(range(0xFE00, 0xFE0F))
    | set(range(0xE0100, 0xE01F0))
)
"""Those of other categories that show nothing: joiners and fillers, variation selectors, an empty Braille pattern."""
_STRAY_EMOJI_STYLE = re.compile("(?<![\u203c\u2049\u2122-\u27bf\u2934-\u2b55\u3030-\u3299\U0001f000-\U0001faff])\ufe0f")
"""The selector of an emoji's coloured form, where there is no symbol before it: alerts have it in their summaries."""
_MOST_KEPT = 8192


class _Written(dict[int, str | int]):
    """What a character is shown as, by its code; for str.translate, which takes the same time for each."""

    def __missing__(self, code: int) -> str | int:
        shown = code if not _deceives(code) else written(code)
        if len(self) < _MOST_KEPT:  # whoever chooses the text must not fill the memory by it
            self[code] = shown
        return shown


def written(code: int) -> str:
    """A character as its number."""
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def visible(text: str) -> str:
    """The text on one line: ends of lines and tabs are written out too, so that none looks like a line of ours."""
    if text.isascii() and text.isprintable():
        return text
    return _without_stray_styles(text.translate(_ONE_LINE))


def visible_lines(text: str) -> str:
    """The same with its lines and tabs, for what is shown in a place of its own, such as a log."""
    if text.isascii() and text.isprintable():
        return text
    return _without_stray_styles(text.translate(_LINES))


def _deceives(code: int) -> bool:
    return code in _BLANK or unicodedata.category(chr(code)) in _CATEGORIES


def _without_stray_styles(text: str) -> str:
    return _STRAY_EMOJI_STYLE.sub(r"\\ufe0f", text) if "\ufe0f" in text else text


_ONE_LINE = _Written()
_LINES = _Written({0x09: 0x09, 0x0A: 0x0A})
