"""What takes the demonstration's alerts shows them, and is where it says."""

import socket
from contextlib import closing
from email.message import EmailMessage

import httpx
from aiosmtplib import send
from chargebus_cli.receivers import receivers
from chargebus_embedded import free_port

HOST = "127.0.0.1"


def mail(subject: str) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "chargebus@demo.example", "operator@demo.example", subject
    made.set_content("EVSE 1 of SIM-02 is faulted\n")
    return made


async def test_mail_and_webhooks_are_on_the_page_the_newest_first():
    async with receivers(HOST, free_port()) as taking, httpx.AsyncClient() as client:
        empty = (await client.get(taking.page)).text
        await send(mail("Critical: SIM-02"), hostname=HOST, port=taking.mail_port, start_tls=False)
        posted = await client.post(taking.webhook, json={"subject": "SIM-07"}, headers={"webhook-id": "w-1"})
        everything = (await client.get(taking.page)).text
        of_one = (await client.get(taking.page, params={"with": "SIM-02"})).text
        too_long = await client.post(taking.webhook, content=b"x" * (1 << 21))

    assert (empty, posted.status_code, too_long.status_code) == ("Nothing came yet.\n", 204, 413)
    assert everything.index("webhook to /webhook\n    webhook-id: w-1") < everything.index(
        "mail to operator@demo.example"
    )
    assert "mail to operator@demo.example: Critical: SIM-02\n    EVSE 1 of SIM-02 is faulted" in of_one
    assert "SIM-07" not in of_one


async def test_where_its_ports_are_taken_it_takes_others():
    with closing(socket.create_server((HOST, 0))) as taken:
        port = taken.getsockname()[1]
        async with receivers(HOST, port) as taking, httpx.AsyncClient() as client:
            assert port not in (taking.page_port, taking.mail_port)
            assert (await client.get(taking.page)).status_code == 200


async def test_mail_goes_to_a_server_that_is_given():
    async with receivers(HOST, free_port()) as taking:
        own = taking.environment({})
        given = taking.environment({"NOTIFICATION_SMTP_HOST": "mail.example.com"})

    assert own["NOTIFICATION_SMTP_PORT"] == str(taking.mail_port)
    assert [name for name in given if name.startswith("NOTIFICATION_SMTP")] == []
