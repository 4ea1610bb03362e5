from typing import get_args

import pytest
from chargebus_ocppj.errors import (
    RPC_ERROR_CODES,
    FormatError,
    Meaning,
    NotImplementedRpcError,
    OcppError,
    error_code,
)
from chargebus_ocppj.versions import SUBPROTOCOLS, VERSIONS, Version, as_version

SHARED = {
    "NotImplemented",
    "NotSupported",
    "InternalError",
    "ProtocolError",
    "SecurityError",
    "PropertyConstraintViolation",
    "TypeConstraintViolation",
    "GenericError",
}
V2 = SHARED | {"FormatViolation", "OccurrenceConstraintViolation", "MessageTypeNotSupported", "RpcFrameworkError"}


def test_codes_are_those_of_each_versions_table() -> None:
    assert dict(RPC_ERROR_CODES) == {
        "1.6": SHARED | {"FormationViolation", "OccurenceConstraintViolation"},
        "2.0.1": V2,
        "2.1": V2,
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_every_meaning_has_a_code_and_a_class(version: Version) -> None:
    kinds: list[type[OcppError]] = OcppError.__subclasses__()
    classes = {kind.meaning: kind for kind in kinds}

    for meaning in get_args(Meaning):
        assert error_code(version, meaning) in RPC_ERROR_CODES[version]
        assert classes[meaning](version, "why").code == error_code(version, meaning)


@pytest.mark.parametrize(("version", "code"), [("1.6", "FormationViolation"), ("2.1", "FormatViolation")])
def test_one_error_is_spelled_as_the_version_has_it(version: Version, code: str) -> None:
    assert FormatError(version).code == code


def test_a_description_is_cut_to_255_characters() -> None:
    error = NotImplementedRpcError("2.1", "x" * 256)

    assert error.description == "x" * 254 + "…"


def test_subprotocols_and_versions_name_each_other() -> None:
    assert {name.removeprefix("ocpp"): version for name, version in SUBPROTOCOLS.items()} == {v: v for v in VERSIONS}
    assert [as_version(version) for version in VERSIONS] == list(VERSIONS)


def test_a_version_that_we_do_not_speak_is_a_value_error() -> None:
    with pytest.raises(ValueError, match=r"'1\.5' is not an OCPP version"):
        as_version("1.5")
