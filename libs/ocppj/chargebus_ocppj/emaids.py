"""eMAIDs: contracts' names, with or without hyphens and check digit; all ways to write one mean the same contract.

A contract certificate bears it as common name, mostly without hyphens; what operators register often has them.

Spec: ISO 15118-1 and -2 Annex H (`<country><S><provider><S><instance>[<S><check digit>]`)
"""

import re
from collections.abc import Iterator
from typing import Final

_WRITTEN: Final = re.compile(r"([A-Z]{2})(-?)([A-Z0-9]{3})\2([A-Z0-9]{9})(?:\2[A-Z0-9])?", re.ASCII | re.IGNORECASE)
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def contract_of(emaid: str) -> str:
    """Return the contract that an eMAID means, in upper case without hyphens and check digit; of what is none, that."""
    found = _WRITTEN.fullmatch(emaid)
    return emaid if found is None else f"{found[1]}{found[3]}{found[4]}".upper()


def spellings(emaid: str) -> list[str]:
    """Return the ways to write an eMAID, first that in which it is written; of what is none, only that."""
    if _WRITTEN.fullmatch(emaid) is None:
        return [emaid]
    contract = contract_of(emaid)
    with_hyphens = "-".join((contract[:2], contract[2:5], contract[5:]))
    digit = check_digit(contract)
    ways = (contract + digit, contract, f"{with_hyphens}-{digit}", with_hyphens)
    return [emaid, *(each for each in ways if each != emaid.upper())]


def check_digit(contract: str) -> str:
    """Return the check digit of an eMAID's 14 letters and digits, in upper case.

    Each stands for a vector modulo 2 and one modulo 3, which are weighed by the powers of two matrices.

    Spec: ISO 15118-2 Annex H; eMI3, Check Digit Calculation for Contract-IDs
    """
    sums = [0, 0, 0, 0]
    powers = zip(_powers((0, 1, 1, 1)), _powers((0, 1, 1, 2)), strict=False)
    for number, (by_two, by_three) in zip(map(_DIGITS.index, contract), powers, strict=False):
        high, low = number // 9, number % 9
        one, two = _weighed((high // 2, high % 2), by_two)
        three, four = _weighed((low // 3, low % 3), by_three)
        sums = [sums[0] + one, sums[1] + two, sums[2] + three, sums[3] + four]
    third, fourth = _weighed((sums[2], sums[3]), (0, 2, 2, 1))
    return _DIGITS[(sums[0] % 2 * 2 + sums[1] % 2) * 9 + third % 3 * 3 + fourth % 3]


_Matrix = tuple[int, int, int, int]


def _powers(matrix: _Matrix) -> Iterator[_Matrix]:
    power = matrix
    while True:
        yield power
        first, second = _weighed(power[:2], matrix), _weighed(power[2:], matrix)
        power = (*first, *second)


def _weighed(vector: tuple[int, int], matrix: _Matrix) -> tuple[int, int]:
    return (
        vector[0] * matrix[0] + vector[1] * matrix[2],
        vector[0] * matrix[1] + vector[1] * matrix[3],
    )
