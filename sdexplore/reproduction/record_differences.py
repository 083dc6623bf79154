"""How the record of a run that is made again differs from then: call, model, scheduler, device, versions."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..base import json_text
from ..base.display import clip
from ..publish.sidecars import without_paths
from ..trace.facts import facts_of
from ..trace.provenance import Provenance, adapter_in_words, conditions_in_words
from ..trace.trace import Trace

_HARMLESS: Final = frozenset({"device", "threads", "versions", "normaliser"})
# Other at every run: the time, and a list of diffusers' own whose order is by chance.
# How far a source was from its trace is known where that trace was at hand.
_OWN: Final = frozenset({"seconds", "_use_default_values", "deviation"})
_MOST: Final = 80  # characters of a value


@dataclass(frozen=True)
class RecordDifference:
    """One fact of a record that is another now.

    Attributes:
        place: Where it stands: ("provenance", "versions", "torch").
        then, now: Its values, in words.
    """

    place: tuple[str, ...]
    then: str
    now: str

    @property
    def harmless(self) -> bool:
        """Whether it is threads, device, versions or normaliser, which may change a number's last digit and no more."""
        return not _HARMLESS.isdisjoint(self.place)

    def __str__(self) -> str:
        name = self.place[-1] if self.harmless else ".".join(self.place[1:])
        return f"{name} {self.then} then, {self.now} now"


def differences(source: Mapping[str, Any], now: Trace) -> list[RecordDifference]:
    """What differs between a sidecar's facts of a trace and the trace made again.

    Only facts that both have are compared, since another version of sdexplore may record more or fewer. What the
    pipeline is under now, and an older record does not tell of, is a difference too.

    Args:
        source: fingerprint, kind, call and provenance of the trace, as the sidecar has them.
    """
    today = json.loads(json_text.dumps(without_paths(facts_of(now)), default=str))
    then = json.loads(json_text.dumps({name: source[name] for name in ("call", "provenance")}, default=str))
    return [*_between(then, today, ()), *_untold(then["provenance"], now)]


def _between(then: Any, now: Any, place: tuple[str, ...]) -> Iterator[RecordDifference]:  # noqa: ANN401  (JSON)
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for name in then:
            if place == ("provenance",) and name == "adapters" and name in now:
                yield from _adapters(then[name], now[name])
            elif place == ("provenance",) and name == "changed" and name in now:
                yield from _between(_by_change(then[name]), _by_change(now[name]), (*place, name))
            elif name in now and name not in _OWN:
                yield from _between(then[name], now[name], (*place, name))
    elif then != now:
        yield RecordDifference(place, clip(str(then), _MOST), clip(str(now), _MOST))


def _by_change(told: Any) -> dict[str, Any]:  # noqa: ANN401  (JSON)
    """What provenance says of each change, by the change."""
    several = told if isinstance(told, list) else []
    return {str(one.get("change")): one for one in several if isinstance(one, dict)}


def _adapters(then: Any, now: Any) -> Iterator[RecordDifference]:  # noqa: ANN401  (JSON)
    """Adapters by their names, in words."""
    if then != now:
        yield RecordDifference(("provenance", "adapters"), _in_words(then), _in_words(now))


def _in_words(adapters: Any) -> str:  # noqa: ANN401  (JSON)
    if isinstance(adapters, list) and all(isinstance(one, dict) for one in adapters):
        return clip("; ".join(map(adapter_in_words, adapters)) or "none", 2 * _MOST)
    return clip(str(adapters), _MOST)


def _untold(then: Mapping[str, Any], now: Trace) -> Iterator[RecordDifference]:
    """What the record made now tells of the state of the pipeline, and the older one does not know of."""
    if "foreign" in then and "adapters" in then:
        return
    state: Provenance = {
        "foreign": now.provenance.get("foreign", {}),
        "adapters": now.provenance.get("adapters", ()),
    }
    for name, words in conditions_in_words(state):
        yield RecordDifference(("provenance", name), "not recorded", words)
