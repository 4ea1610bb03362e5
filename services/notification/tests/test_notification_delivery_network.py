"""Connections go to the address that was checked, whatever a name says another time; names come from the test."""

from datetime import UTC, datetime
from ipaddress import ip_network
from uuid import uuid4

import pytest
from chargebus_notification.delivery.domain.subscription import Secrets, Webhook
from chargebus_notification.delivery.operations.vault import new_secret
from chargebus_notification.delivery.operations.webhooks import Webhooks
from chargebus_notification.delivery.payload import trial
from chargebus_outbound.network import CheckedNetwork, UnresolvedError, system_resolver
from chargebus_testkit.receivers import answer, webhook_receiver
from chargebus_testkit.web_authority import WebAuthority

NOW = datetime.now(UTC)
LOOPBACK = (ip_network("127.0.0.1/32"),)


class Names:
    """A name server whose answers change: the first is given once, then the next, the last for ever."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    async def __call__(self, host, port):
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return WebAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
async def receiver(authority):
    async with webhook_receiver(authority.server_context(["hooks.example.com"])) as receiver:
        yield receiver


def poster(authority, names, allowed=LOOPBACK, **options):
    usual = {"plain": False, "within_s": 60.0}
    return Webhooks(CheckedNetwork(names, allowed, "A_SETTING"), str(authority.ca_file), **(usual | options))


async def post(webhooks, url):
    return await webhooks.post(Webhook(url), Secrets(new_secret()), trial(uuid4(), "a test", uuid4(), NOW), NOW)


async def test_tls_and_host_say_the_name_and_the_connection_goes_to_its_address(authority, receiver):
    names = Names(["127.0.0.1"])
    result = await post(poster(authority, names), receiver.url(host="hooks.example.com"))

    assert (result.outcome, result.status) == ("delivered", 204)
    assert receiver.posts[0].headers["host"] == f"hooks.example.com:{receiver.port}"


async def test_a_name_is_asked_for_once_and_what_it_says_another_time_is_never_connected_to(authority, receiver):
    rebinding = Names(["192.0.2.1", "127.0.0.1"], ["127.0.0.1"])
    refused = await post(poster(authority, rebinding), receiver.url(host="hooks.example.com"))

    assert "reserved" in refused.error
    assert len(rebinding.asked) == 1
    assert receiver.posts == []

    changed = Names(["127.0.0.1"], ["169.254.169.254"])
    webhooks = poster(authority, changed)
    first = await post(webhooks, receiver.url(host="hooks.example.com"))
    second = await post(webhooks, receiver.url(host="hooks.example.com"))

    assert first.outcome == "delivered"
    assert "link-local" in second.error
    assert len(changed.asked) == 2


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.2"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"], ["10.0.0.1"], ["127.0.0.1", "10.0.0.1"], ["fe80::1%lo"]],
)
async def test_a_name_that_leads_anywhere_else_is_posted_nothing(authority, receiver, addresses):
    result = await post(poster(authority, Names(addresses)), receiver.url(host="hooks.example.com"))

    assert result.outcome == "failed"
    assert "leads where nothing is sent" in result.error
    assert receiver.posts == []


async def test_an_address_in_the_url_is_checked_when_it_is_connected_to(authority, receiver):
    result = await post(poster(authority, Names([]), allowed=()), receiver.url(host="127.0.0.1"))

    assert "this machine" in result.error
    assert receiver.posts == []


async def test_a_redirect_leads_nowhere(authority, receiver):
    receiver.answers = [answer(307, f"Location: {receiver.url('/other', host='hooks.example.com')}")]
    result = await post(poster(authority, Names(["127.0.0.1"])), receiver.url(host="hooks.example.com"))

    assert result.outcome == "failed"
    assert [each.path for each in receiver.posts] == ["/hook"]


async def test_a_certificate_of_another_name_is_not_taken(authority, receiver):
    result = await post(poster(authority, Names(["127.0.0.1"])), receiver.url(host="other.example.com"))

    assert "certificate" in result.error
    assert receiver.posts == []


async def test_a_dead_address_of_a_name_is_passed_over(authority, receiver):
    allowed = (ip_network("127.0.0.0/8"),)
    result = await post(
        poster(authority, Names(["127.0.0.9", "127.0.0.1"]), allowed), receiver.url(host="hooks.example.com")
    )

    assert result.outcome == "delivered"


@pytest.mark.parametrize(
    "said",
    [
        b"not HTTP at all\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 500_000,
        b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_no_answer_is_a_failure_and_no_more(authority, receiver, said):
    receiver.answers = [said]
    result = await post(poster(authority, Names(["127.0.0.1"])), receiver.url(host="hooks.example.com"))

    assert result.outcome == "failed"
    assert 0 < len(result.error) <= 500


async def test_a_receiver_without_tls_gets_something_only_where_it_is_allowed(authority):
    async with webhook_receiver(None) as plain:
        url = plain.url(host="hooks.example.com", scheme="http")
        refused = await post(poster(authority, Names(["127.0.0.1"])), url)
        allowed = await post(poster(authority, Names(["127.0.0.1"]), plain=True), url)

    assert "https" in refused.error
    assert allowed.outcome == "delivered"
    assert len(plain.posts) == 1


async def test_the_system_tells_names_that_there_are():
    resolve = system_resolver()

    assert "127.0.0.1" in await resolve("localhost", 443)
    with pytest.raises(UnresolvedError):
        await resolve("nowhere.invalid", 443)
