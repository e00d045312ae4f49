"""The bases of a worker database: the sources of its clones, each with the layers that lie on it.

The worker database is cloned from the topmost base: the project's template or, where a fixture of a wider scope has
changed the schema, a copy that was made after it. On each base lie the layers that fixtures have committed since.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..control import Admin, Control, reset, templates
from ..control.driver import psycopg


@dataclass
class Base:
    """One source of a worker database's clones, and the layers that lie on it.

    Attributes:
        template: The project's template, or a copy of the database after a wide fixture's DDL.
        made_by: The layer whose DDL made the copy; 0 for the project's template.
        saved: The layers on it, for the next clone.
        layers: Their numbers.
        unsaved: Those that are in the database only, until it needs a clone.
        gone: Layers in *saved* that were taken off while this base had no database.
        carried: Layers of a base that is gone, still to be brought here.
    """

    template: templates.Template
    made_by: int = 0
    saved: reset.Layers = field(default_factory=dict)
    layers: set[int] = field(default_factory=set)
    unsaved: set[int] = field(default_factory=set)
    gone: set[int] = field(default_factory=set)
    carried: list[reset.Layers] = field(default_factory=list)

    def save(self, control: Control) -> None:
        """Save the layers in the present clone for the next one."""
        self.saved = control.export_layers()
        self.unsaved.clear()


class Bases:
    """The bases of one worker database, of which the project's template is the lowest."""

    def __init__(self, template: templates.Template) -> None:
        self._all = [Base(template)]

    @property
    def template(self) -> templates.Template:
        """The project's template."""
        return self._all[0].template

    @property
    def top(self) -> templates.Template:
        """The source of the next clone."""
        return self._all[-1].template

    def add(self, copy: templates.Template, layer: int) -> None:
        """Add *copy*, made after the DDL of *layer*, on top."""
        self._all.append(Base(copy, layer))

    def lay(self, control: Control) -> list[str]:
        """Put the layers of the topmost base on its fresh clone.

        Returns:
            The tables whose rows are gone, because they have other columns now.
        """
        base, gone = self._all[-1], []
        if base.saved:
            control.adopt_layers(base.saved)
        if base.gone or base.carried:
            gone = [table for layers in base.carried for table in control.carry(layers)]
            for layer in base.gone:
                control.take_off(layer)
            base.carried.clear()
            base.gone.clear()
            control.reset()
            base.save(control)
        return gone

    def capture(self, layer: int, control: Control, *, briefly: bool = False) -> bool | None:
        """Take commits into *layer* of the present clone; *briefly*: it need not be saved before the next clone.

        Returns:
            Whether there were any; None if only a copy of the whole database can be that layer.
        """
        base = self._all[-1]
        is_new, is_saved = layer not in base.layers, layer not in base.unsaved
        base.layers.add(layer)  # before it is taken: a time-out may come, and then it is taken off again
        base.unsaved.add(layer)
        captured = control.capture(layer)
        if captured and not briefly:
            base.save(control)
        if not captured and is_saved:
            base.unsaved.discard(layer)
        if not captured and is_new:
            base.layers.discard(layer)
        return captured

    def save(self, control: Control | None) -> None:
        """Save the layers of the present clone, which is about to go, if some are only there."""
        base = self._all[-1]
        if not base.unsaved:
            return
        try:
            if control is not None:
                base.save(control)
        except psycopg.Error:  # it is lost, and with it the test whose layers they were
            base.layers -= base.unsaved
            base.unsaved.clear()

    def take_off(self, layer: int, control: Control | None) -> bool:
        """Take *layer* off each base.

        Args:
            layer: The layer.
            control: The control connection to the present clone; None if that is stale, or there is none.

        Returns:
            False if only a fresh clone has tables that fit the rows which stay.
        """
        fits = True
        for base in self._all:
            if layer not in base.layers:
                continue
            is_saved = layer not in base.unsaved
            if is_saved or base.unsaved - {layer}:
                base.gone.add(layer)  # also where it comes off now, until that is done: a time-out may come
            if base is self._all[-1] and control is not None and control.take_off(layer):
                if is_saved:
                    base.save(control)
                base.gone.discard(layer)
            else:
                fits = fits and (base is not self._all[-1] or control is None)
            base.unsaved.discard(layer)
            base.layers.discard(layer)
        return fits

    def drop_copy(self, layer: int, admin: Admin) -> bool:
        """Drop the copy that *layer* made, and those above it; return whether there was one.

        Layers on them, of fixtures that stay, move down.
        """
        first = next((at for at, base in enumerate(self._all) if layer and base.made_by == layer), None)
        if first is None:
            return False
        below = self._all[first - 1]
        for base in self._all[first:]:
            base.layers.discard(layer)
            if base.layers:
                below.carried.append(reset.only(base.saved, base.layers))
                below.layers |= base.layers
            admin.drop(base.template.name)
        del self._all[first:]
        return True
