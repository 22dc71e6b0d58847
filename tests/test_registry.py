"""Registries: names, user-defined entries, and configurations."""

import json
import re
from dataclasses import FrozenInstanceError, dataclass, field

import pytest

import throughtime as tt
from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    ModelFileError,
    check_float,
)
from throughtime.registry import Registry


class Shape:
    pass


class Pen:
    pass


def filled():
    registry = Registry("shape", Shape)

    @registry.register("circle", "disc")
    @dataclass
    class Circle(Shape):
        radius: float = 1.0
        area: float = field(init=False, default=0.0)

        def __post_init__(self):
            check_float("radius", self.radius, 0)

    @registry.register("point")
    @dataclass
    class Point(Shape):
        pass

    return registry, Circle, Point


def refuses(error, message):
    return pytest.raises(error, match=f"^{re.escape(message)}$")


def test_names_and_aliases():
    registry, circle, point = filled()
    assert list(registry) == ["circle", "point"]
    assert registry["disc"] is registry["circle"] is circle
    assert registry.name_of(point()) == "point"


def test_get():
    registry, circle, _ = filled()
    mine = circle(3)
    assert registry.get(mine) is mine
    assert registry.get("disc") == circle(1.0)


@pytest.mark.parametrize("name", ["Circle", "CIRCLE", "circle", "Disc", "cir_cle"])
def test_any_case_of_a_name_is_found(name):
    registry, circle, _ = filled()
    assert registry[name] is circle
    assert registry.get(name) == circle(1.0)


def test_the_exact_name_comes_first():
    registry, circle, point = filled()
    other = registry.register("Circle")(type("Other", (Shape,), {}))
    assert registry["Circle"] is other
    assert registry["circle"] is registry["CIRCLE"] is circle
    registry.register("two_words")(point)
    assert registry["TwoWords"] is point


def test_names_of_other_libraries_differ_in_case_alone():
    assert tt.optimizers.OPTIMIZERS["AdamW"] is tt.optimizers.AdamW
    assert tt.activations.ACTIVATIONS["LeakyReLU"] is tt.activations.ACTIVATIONS["leaky_relu"]
    assert tt.layers.LAYERS["gru"] is tt.layers.GRU
    assert tt.layers.Dense(1, activation="ReLU") == tt.layers.Dense(1, activation="relu")


def test_get_refuses():
    registry, _, _ = filled()
    message = "shape must be one of 'circle', 'disc', 'point'; got 'pint'. Did you mean 'point'?"
    with refuses(InvalidArgumentError, message):
        registry.get("pint")
    message = "shape must be one of 'circle', 'disc', 'point'; got 'POINTS'. Did you mean 'point'?"
    with refuses(InvalidArgumentError, message):
        registry["POINTS"]
    message = "shape must be one of 'circle', 'point' or an object of class Shape; got 3."
    with refuses(InvalidTypeError, message):
        registry.get(3)


def test_a_name_is_given_once():
    registry, _, point = filled()
    with refuses(InvalidArgumentError, "shape 'disc' is registered already, as Circle."):
        registry.register("plate", "disc")(point)


def test_config_goes_there_and_back():
    registry, circle, point = filled()
    for shape in (circle(2.5), point()):
        config = json.loads(json.dumps(registry.to_config(shape)))
        assert registry.from_config(config) == shape
    assert registry.to_config(circle(2.5)) == {"name": "circle", "radius": 2.5}


def test_a_field_may_hold_an_object_of_another_registry():
    shapes, circle, _ = filled()
    pens = Registry("pen", Pen)

    @pens.register("pen")
    @dataclass
    class Ink(Pen):
        tip: object = field(default=0.5, metadata={"registry": shapes})

    config = {"name": "pen", "tip": {"name": "circle", "radius": 2.0}}
    assert pens.to_config(Ink(circle(2.0))) == config
    assert pens.from_config(config) == Ink(circle(2.0))
    assert pens.from_config(pens.to_config(Ink(0.7))) == Ink(0.7)
    config["tip"]["name"] = "os.system"
    with refuses(ModelFileError, "the file asks for an unknown shape 'os.system'."):
        pens.from_config(config)


def test_config_of_an_unregistered_object():
    class Mine(Shape):
        def __repr__(self):
            return "Mine()"

    message = (
        "shape Mine() is your own object and cannot be written to a file;"
        " only registered ones can: circle, point. Make yours a dataclass, a subclass of Shape,"
        " under the registry's decorator register('a name')."
    )
    with refuses(InvalidTypeError, message):
        filled()[0].to_config(Mine())


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "the file holds no shape; got None."),
        ({}, "the file holds no shape; got {}."),
        ({"name": ["circle"]}, "the file holds no shape; got {'name': ['circle']}."),
        ({"name": "os.system"}, "the file asks for an unknown shape 'os.system'."),
        ({"name": "circle", "cmd": 1}, "the file gives shape 'circle' an unknown option 'cmd'."),
        ({"name": "circle", "area": 1}, "the file gives shape 'circle' an unknown option 'area'."),
        (
            {"name": "circle", "radius": -1},
            "the file holds a bad shape: radius must be a finite number >= 0; got -1.",
        ),
        (
            {"name": "circle", "radius": "1"},
            "the file holds a bad shape: radius must be a finite number >= 0; got '1'.",
        ),
    ],
)
def test_bad_config_is_refused(config, message):
    with refuses(ModelFileError, message):
        filled()[0].from_config(config)


def test_setting_an_option_of_a_frozen_object_says_what_to_do():
    layer = tt.layers.GRU(3)
    with pytest.raises(FrozenInstanceError) as caught:
        layer.units = 4
    assert str(caught.value) == (
        "units of this GRU cannot be changed. Make a new one: dataclasses.replace(layer, units=4)."
    )
    with pytest.raises(FrozenInstanceError, match=r"^foo of this Tanh .* It has no options\.$"):
        tt.activations.Tanh().foo = 1
    with pytest.raises(FrozenInstanceError, match=r"Its options are name, steps\.$"):
        tt.layers.Flatten(2).foo = 1
    assert layer == tt.layers.GRU(3)


def test_a_subclass_may_still_have_attributes_of_its_own():
    class Mine(tt.layers.Dense):
        pass

    layer = Mine(2)
    layer.note = "a"
    assert layer.note == "a"
    with pytest.raises(FrozenInstanceError, match="units of this Mine cannot be changed"):
        layer.units = 3
