"""From TeX to MathML by docutils, mended so that browsers draw it as TeX would."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from docutils.utils.math.latex2mathml import tex2mathml

SPACE = "http://www.w3.org/1998/Math/MathML"
APPLY = "\u2061"  # between a function's name and its argument
THIN = "0.17em"
FENCES = set("()[]{}|‖⟨⟩⌈⌉⌊⌋")
#: docutils has no fences of the size of a letter but these, which it writes with a size.
BARS = re.compile(r"(?<!\\left)(?<!\\right)(?<!igl)(?<!igr)\\([lr])([vV])ert")
#: As operators these two keep a distance from their brackets.
EXTREMES = re.compile(r"\\(max|min)(?=\s*(\\[bB]igl)?\()")

ET.register_namespace("", SPACE)


def convert(tex: str, block: bool) -> str:
    """Return ``tex`` as an element ``<math>``; raise MathError where it cannot be read."""
    tex = BARS.sub(r"\\big\1\\\1\2ert", tex)
    tex = EXTREMES.sub(r"\\operatorname{\1}", tex)
    tex = re.sub(r"\\dots\b", r"\\ldots", tex)
    text = tex2mathml(tex, as_block=block).replace("&ApplyFunction;", APPLY)
    root = ET.fromstring(re.sub(r">\s*\n\s*<", "><", text))
    for element in root.iter():
        _mend(element)
    return ET.tostring(root, encoding="unicode", short_empty_elements=False)


def _mend(element: Element) -> None:
    kind = _kind(element)
    if kind == "mo":
        _mend_operator(element)
    if kind == "mtable" and element.get("class") == "ams-align":
        element.set("displaystyle", "true")
    if kind == "munderover" and _kind(element[0]) == "mi":
        # A letter with a hat and an index: the index is not below, but after it.
        base, index, accent = list(element)
        over = Element(f"{{{SPACE}}}mover", accent="true")
        over.extend([base, accent])
        element.tag = f"{{{SPACE}}}msub"
        element[:] = [over, index]
    _space_functions(element)


def _mend_operator(element: Element) -> None:
    if element.text in FENCES:
        bare = element.text in "{}" and not element.attrib  # with cases it has a distance
        element.set("lspace", "0")
        element.set("rspace", "0")
        natural = element.get("maxsize") == "1.2em" and element.text in "|‖"
        if natural or bare or element.text in "⟨⟩⌈⌉⌊⌋":
            element.attrib = {"stretchy": "false", "lspace": "0", "rspace": "0"}
    elif element.text and set(element.text) == {"'"}:
        element.text = "′" * len(element.text)
        element.attrib = {"lspace": "0", "rspace": "0.06em"}


def _space_functions(parent: Element) -> None:
    """``p log p``: a thin space before the name, and after it where no bracket follows."""
    children = list(parent)
    result: list[Element] = []
    for i, child in enumerate(children):
        named = i + 1 < len(children) and children[i + 1].text == APPLY
        if named and result and _kind(result[-1]) != "mo":
            result.append(Element(f"{{{SPACE}}}mspace", width=THIN))
        result.append(child)
        if child.text == APPLY and i + 1 < len(children) and not _opens(children[i + 1]):
            result.append(Element(f"{{{SPACE}}}mspace", width=THIN))
    if len(result) > len(children):
        parent[:] = result


def _opens(element: Element) -> bool:
    while _kind(element) in ("mrow", "msub", "msup") and len(element):
        element = element[0]
    return element.text in FENCES


def _kind(element: Element) -> str:
    return element.tag.removeprefix(f"{{{SPACE}}}")
