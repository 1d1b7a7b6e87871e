"""From the checks of a file to values that need no second look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinforge.model.recipe import (
    CommandSmoke,
    Invocation,
    PairSmoke,
    SeverityChange,
    Smoke,
    SmokeChange,
    StopSmoke,
    TrainSmoke,
)

if TYPE_CHECKING:
    from twinforge.model.matrix_file import MatrixFile
    from twinforge.model.recipe_file import RecipeFile
    from twinforge.model.smoke_file import SmokePart, TrainPart
    from twinforge.model.source import Source
    from twinforge.yamlfile import Where

    AnySource = Source[RecipeFile] | Source[MatrixFile]

__all__ = ["complete_smoke", "complete_smoke_change"]


def complete_smoke(source: AnySource, where: Where, part: SmokePart) -> Smoke:
    """Return the checks of a file without a problem; ``where`` is their path in it."""
    invocations = tuple(
        Invocation(
            content_type=one.content_type,
            body=one.body,
            status=one.status,
            accept=one.accept,
            json=dict(one.json_values),
            labels=one.labels,
            accuracy=float(one.accuracy),
        )
        for one in part.invocations
    )
    return Smoke(
        train=_train(part.train) if part.train else None,
        invocations=invocations,
        startup_s=part.startup_s,
        stop_s=part.stop_s,
        user=part.user,
        read_only_root=part.read_only_root,
        severities={
            name: SeverityChange(
                one.severity, one.because, source.place(*where, "severities", name, key=True)
            )
            for name, one in part.severities.items()
        },
        commands=tuple(
            CommandSmoke(one.name, one.run, one.status, one.prints) for one in part.commands
        ),
        pair=PairSmoke(float(part.pair.absolute), float(part.pair.relative)),
    )


def complete_smoke_change(source: AnySource, where: Where, part: SmokePart) -> SmokeChange:
    """Return what the checks of an override, or of an heir, have other than those before them."""
    whole, given = complete_smoke(source, where, part), part.model_fields_set
    parts = {name: getattr(whole, name) for name in SmokeChange.__slots__}
    return SmokeChange(**{name: one if name in given else None for name, one in parts.items()})


def _train(part: TrainPart) -> TrainSmoke:
    return TrainSmoke(
        channels=dict(part.channels),
        hyperparameters=dict(part.hyperparameters),
        stop=StopSmoke(dict(part.stop.hyperparameters), part.stop.after),
        resumes=part.resumes,
    )
