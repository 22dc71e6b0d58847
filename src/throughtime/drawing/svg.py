"""Paint a sheet as SVG, with the standard library alone.

Colours are attributes, so every program that draws SVG shows them. The theme ``"auto"`` adds a
style sheet that replaces them for readers who prefer dark pages. Its rules and all ids begin with a
name made from the content, so that one page can hold several pictures.
"""

from __future__ import annotations

import hashlib
import math
import xml.etree.ElementTree as ET

from throughtime.drawing.palette import DARK, LIGHT, Palette
from throughtime.drawing.sheet import WIDTH, Box, Line, Point, Sheet, Text
from throughtime.drawing.text import Span, script_size, spoken

THEMES = ("auto", "light", "dark")
DASHES = {"dash": "6 4", "dot": "1.5 3.5"}
SANS = "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
SERIF = "'STIX Two Text', 'Cambria', 'Times New Roman', 'DejaVu Serif', serif"
MONO = "ui-monospace, 'SF Mono', Consolas, 'DejaVu Sans Mono', monospace"
FACES: dict[str, dict[str, str]] = {
    "plain": {},
    "bold": {"font-weight": "600"},
    "code": {"font-family": MONO},
    "italic": {"font-family": SERIF, "font-style": "italic"},
    "upright": {"font-family": SERIF},
}
#: Width in pixels up to which a page enlarges a picture.
LARGEST_WIDTH = 1.3 * WIDTH
#: Length of an arrow head.
HEAD = 7.5
#: A box wider than this is the background of labels inside it.
PANEL = 150.0


def paint(sheet: Sheet, theme: str) -> str:
    """Return ``sheet`` as an ``<svg>`` element."""
    colours = dict((DARK if theme == "dark" else LIGHT).items())
    body = ET.Element("g", {"font-family": SANS})
    grounds = [Box(WIDTH / 2, sheet.height / 2, WIDTH, sheet.height, 0.0, None)]
    _box(body, grounds[0], colours)
    for item in sheet.items:
        if isinstance(item, Box):
            _box(body, item, colours)
            if item.w > PANEL:
                grounds.append(item)
        elif isinstance(item, Line):
            _line(body, item, colours)
        else:
            _text(body, item, _ground(item, grounds), colours)
    content = ET.tostring(body, encoding="unicode") + sheet.title + sheet.description + theme
    name = f"tt-{hashlib.sha256(content.encode()).hexdigest()[:10]}"
    size = f"0 0 {_number(WIDTH)} {_number(sheet.height)}"
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "id": name,
            "viewBox": size,
            "width": "100%",
            "style": f"max-width:{_number(LARGEST_WIDTH)}px;height:auto",
            "role": "img",
            "aria-labelledby": f"{name}-title {name}-desc",
        },
    )
    ET.SubElement(root, "title", {"id": f"{name}-title"}).text = sheet.title
    ET.SubElement(root, "desc", {"id": f"{name}-desc"}).text = sheet.description
    if theme == "auto":
        ET.SubElement(root, "style").text = _dark_rules(name, DARK)
    root.append(body)
    return ET.tostring(root, encoding="unicode") + "\n"


def _dark_rules(name: str, palette: Palette) -> str:
    rules = []
    for role, colour in palette.items():
        rules.append(f"#{name} .f-{role}{{fill:{colour}}}")
        rules.append(f"#{name} .s-{role}{{stroke:{colour}}}")
    return f"@media (prefers-color-scheme: dark){{{''.join(rules)}}}"


def _ground(text: Text, grounds: list[Box]) -> str:
    """The role of the colour behind a label."""
    left, right = text.extent()
    x = (left + right) / 2
    for box in reversed(grounds):
        if abs(x - box.x) <= box.w / 2 and abs(text.y - box.y) <= box.h / 2:
            return box.fill or "surface"
    return "surface"


def _coloured(fill: str | None, stroke: str | None, colours: dict[str, str]) -> dict[str, str]:
    """Attributes and classes for the roles of fill and stroke."""
    result = {"fill": "none" if fill is None else colours[fill]}
    classes = [] if fill is None else [f"f-{fill}"]
    if stroke is not None:
        result["stroke"] = colours[stroke]
        classes.append(f"s-{stroke}")
    return result | ({"class": " ".join(classes)} if classes else {})


def _box(parent: ET.Element, box: Box, colours: dict[str, str]) -> None:
    attributes = {
        "x": _number(box.x - box.w / 2),
        "y": _number(box.y - box.h / 2),
        "width": _number(box.w),
        "height": _number(box.h),
    }
    if box.radius:
        attributes["rx"] = _number(min(box.radius, box.w / 2, box.h / 2))
    attributes |= _coloured(box.fill, box.role, colours)
    if box.role is not None:
        attributes["stroke-width"] = _number(box.width)
        if box.dash in DASHES:
            attributes["stroke-dasharray"] = DASHES[box.dash]
    ET.SubElement(parent, "rect", attributes)


def _line(parent: ET.Element, line: Line, colours: dict[str, str]) -> None:
    points = list(line.points)
    if line.head:
        # The line ends inside its head: a thick line would be wider than the tip.
        (x0, y0), tip = points[-2], points[-1]
        length = math.hypot(tip[0] - x0, tip[1] - y0) or 1.0
        ux, uy = (tip[0] - x0) / length, (tip[1] - y0) / length
        points[-1] = (tip[0] - 0.7 * HEAD * ux, tip[1] - 0.7 * HEAD * uy)
    attributes = {"d": _path(points, line.radius)} | _coloured(None, line.role, colours)
    attributes["stroke-width"] = _number(line.width)
    if line.dash in DASHES:
        attributes["stroke-dasharray"] = DASHES[line.dash]
    ET.SubElement(parent, "path", attributes)
    if line.head:
        half = 0.42 * HEAD + 0.3 * line.width
        back = (tip[0] - HEAD * ux, tip[1] - HEAD * uy)
        corners = [
            tip,
            (back[0] - half * uy, back[1] + half * ux),
            (back[0] + half * uy, back[1] - half * ux),
        ]
        shape = " ".join(f"{_number(x)},{_number(y)}" for x, y in corners)
        ET.SubElement(parent, "polygon", {"points": shape} | _coloured(line.role, None, colours))


def _path(points: list[Point], radius: float) -> str:
    """The path data of a polyline with rounded corners."""
    parts = [f"M{_number(points[0][0])} {_number(points[0][1])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        into = _towards(corner, before, radius)
        out = _towards(corner, after, radius)
        parts.append(f"L{_number(into[0])} {_number(into[1])}")
        parts.append(
            f"Q{_number(corner[0])} {_number(corner[1])} {_number(out[0])} {_number(out[1])}"
        )
    parts.append(f"L{_number(points[-1][0])} {_number(points[-1][1])}")
    return "".join(parts)


def _towards(start: Point, end: Point, distance: float) -> Point:
    length = math.hypot(end[0] - start[0], end[1] - start[1]) or 1.0
    part = min(distance, length / 2) / length
    return start[0] + part * (end[0] - start[0]), start[1] + part * (end[1] - start[1])


def _text(parent: ET.Element, text: Text, ground: str, colours: dict[str, str]) -> None:
    """Add a label over its halo.

    The halo is a separate element. As a stroke of the label, the halo of each span would cover
    letters of the span before it.
    """
    place = {
        "x": _number(text.x),
        # The middle of the letters is about a third of the font size above their baseline.
        "y": _number(text.y + 0.35 * text.size),
        "font-size": _number(text.size),
    }
    if text.anchor != "start":
        place["text-anchor"] = text.anchor
    if text.halo:
        stroke = {"stroke-width": "4", "stroke-linejoin": "round", "aria-hidden": "true"}
        halo = place | _coloured(ground, ground, colours) | stroke
        _spans(ET.SubElement(parent, "text", halo), text)
    attributes = place | _coloured(text.role, None, colours)
    if any(span.shift for span in text.label):
        attributes["data-name"] = spoken(text.label)
    _spans(ET.SubElement(parent, "text", attributes), text)


def _spans(element: ET.Element, text: Text) -> None:
    """Fill ``element`` with the spans of a label."""
    spans = text.label
    if len(spans) == 1 and not spans[0].shift:
        for key, value in FACES[spans[0].face].items():
            element.set(key, value)
        element.text = spans[0].text
        return
    level, face = 0.0, ""
    for span in spans:
        after_italic = face == "italic" and span.text.startswith("\u2032")
        level, face = _span(element, span, text.size, level, after_italic), span.face


def _span(element: ET.Element, span: Span, size: float, level: float, apart: bool) -> float:
    """Add a span and return its distance below the baseline; ``level`` is that of the span before.

    ``apart`` moves a prime away from the slanted letter before it.
    """
    own = {0: 0.0, -1: 0.24 * size, 1: -0.36 * size}[span.shift]
    attributes = dict(FACES[span.face])
    if span.shift:
        attributes["font-size"] = _number(script_size(size))
    if own != level:
        attributes["dy"] = _number(own - level)
    if apart:
        attributes["dx"] = _number(0.1 * size)
    ET.SubElement(element, "tspan", attributes).text = span.text
    return own


def _number(value: float) -> str:
    """``value`` with at most two decimals; -0 is 0."""
    return f"{round(value, 2) + 0.0:.2f}".rstrip("0").rstrip(".")
