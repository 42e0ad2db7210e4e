"""A mail server, and a reader of mail, that share no code with what latchkey sends by. Prints its port, then each message as a line of JSON."""

import asyncio
import json
from email import message_from_bytes
from email.policy import default

from aiosmtpd.smtp import SMTP


class Printer:
    async def handle_DATA(self, server, session, envelope):
        message = message_from_bytes(envelope.content, policy=default)
        parts = [part for part in message.walk() if not part.is_multipart()]
        defects = [defect for part in message.walk() for defect in part.defects]
        defects += [defect for value in message.values() for defect in value.defects]
        read = {
            "envelopeFrom": envelope.mail_from,
            "envelopeTo": envelope.rcpt_tos,
            "headers": [[name, str(value)] for name, value in message.items()],
            "to": [address.addr_spec for address in message["to"].addresses],
            "from": [[address.display_name, address.addr_spec] for address in message["from"].addresses],
            "type": message.get_content_type(),
            "parts": [[part.get_content_type(), part.get_content()] for part in parts],
            "defects": [repr(defect) for defect in defects],
            "longestLine": max(len(line) for line in envelope.content.split(b"\r\n")),
        }
        print(json.dumps(read), flush=True)
        return "250 it is here"


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Printer(), enable_SMTPUTF8=True), "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


asyncio.run(main())
