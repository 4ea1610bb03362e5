"""Settings in groups, made from values without."""

from typing import TypeVar

from chargebus_runtime.settings import ServiceSettings

S = TypeVar("S", bound=ServiceSettings)


def grouped(settings: type[S], **values: object) -> S:
    """Return a service's settings with some values, each put into the group that has a field of its name."""
    groups = {
        name: kind
        for name, field in settings.model_fields.items()
        if isinstance(kind := field.annotation, type) and issubclass(kind, ServiceSettings)
    }
    own = {name: values.pop(name) for name in list(values) if name in settings.model_fields}
    for group, kind in groups.items():
        own[group] = kind(**{name: values.pop(name) for name in list(values) if name in kind.model_fields})
    if values:
        raise TypeError(f"{settings.__name__} has no {', '.join(values)}")
    return settings(**own)
