"""How a gap is closed: a function is wrapped, or a line of it is changed."""

import inspect
import sys
import textwrap


def everywhere(old, new) -> None:
    """Puts `new` wherever MiniStack's modules hold the function `old`, also where it was imported by name."""
    for name, module in list(sys.modules.items()):
        if name.startswith("ministack"):
            for attribute, value in list(vars(module).items()):
                if value is old:
                    setattr(module, attribute, new)


def rewrite(function, *changes: tuple[str, str], **names) -> None:
    """Replaces each `(text, other text)` in the source of `function`; `names` are what the other texts use."""
    source = textwrap.dedent(inspect.getsource(function))
    for text, other in changes:
        if source.count(text) != 1:
            raise SystemExit(f"{function.__qualname__} has {source.count(text)} of {text!r}, not one")
        source = source.replace(text, other)
    scope = inspect.getmodule(function).__dict__
    scope.update(names)
    made: dict = {}
    exec(compile(source, inspect.getsourcefile(function), "exec"), scope, made)  # noqa: S102
    everywhere(function, made[function.__name__])


def action(handlers: dict, name: str):
    """Wraps one API action: the function gets the original and the request's parameters."""
    def install(function):
        original = handlers[name]
        handlers[name] = lambda params: function(original, params)
        return function
    return install
