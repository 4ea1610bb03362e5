"""Who is told to have issued what a server shows is found again among roots, and another of the same name is not."""

import pytest
from chargebus_certificates.anchors import has_issued, is_issuer_named, issuers_told
from chargebus_certificates.names import name_of
from chargebus_testkit.pki import Authority
from cryptography.hazmat.primitives import hashes

ROOT, NAMESAKE, STRANGER = (Authority.root(name) for name in ("a root", "a root", "another"))
SUB = ROOT.sub("an issuing one")
LEAF = SUB.leaf("csms.example.com")


def test_the_whole_path_counts_whether_the_root_is_shown_or_not():
    for chain in ((LEAF, SUB), (LEAF, SUB, ROOT)):
        told = issuers_told([each.certificate for each in chain])
        assert len(told) == 2 * 3  # each by three algorithms
        assert [has_issued(each.certificate, told) for each in (ROOT, SUB)] == [True, True]
        assert not any(has_issued(each.certificate, told) for each in (NAMESAKE, STRANGER, LEAF))


def test_who_names_no_key_means_all_of_that_name():
    name = issuers_told([SUB.certificate])[0].partition(":")[0]
    assert has_issued(ROOT.certificate, [f"{name}:"])
    assert has_issued(NAMESAKE.certificate, [f"{name}:"])


@pytest.mark.parametrize("algorithm", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()], ids=lambda each: each.name)
def test_a_root_of_which_only_hashes_are_known_is_found_by_its_name(algorithm):
    told = issuers_told([LEAF.certificate, SUB.certificate])
    names = [name_of(each.certificate, each.certificate, algorithm).issuer.name_hash for each in (ROOT, STRANGER)]
    assert [is_issuer_named(each.hex().upper(), told) for each in names] == [True, False]
