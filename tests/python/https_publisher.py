"""A device that posts numerics by HTTPS, one after the other, until it is told nothing any more.

usage: https_publisher.py PORT CA CERTIFICATE KEY FIRST COUNT TOLD

Posts the messages FIRST … FIRST+COUNT-1 of boot 7, each with its number as its heart rate's thousandths, and appends
`number result` to TOLD for each that is answered with 204. Ends at the first that is not answered.
"""

import http.client
import ssl
import sys
import time

port, ca, certificate, key, first, count, told = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.load_cert_chain(certificate, key)
line = http.client.HTTPSConnection("localhost", int(port), context=context, timeout=10)
with open(told, "a", buffering=1) as told:
    for seq in range(int(first), int(first) + int(count)):
        now = f"{time.time():.3f}"
        pack = (
            f'[{{"bt":{now},"n":"wl:boot","vs":"0000000000000007"}},{{"n":"wl:seq","v":{seq}}},'
            f'{{"n":"wl:now","v":{now}}},{{"n":"MDC_ECG_HEART_RATE","u":"/min","v":{60 + seq / 1000:.3f}}}]'
        )
        try:
            line.request("POST", "/v1/num", pack, {"content-type": "application/senml+json"})
            answer = line.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            sys.exit(0)
        if answer.status != 204:
            sys.exit(f"{seq}: {answer.status} {body!r}")
        print(seq, answer.headers["wardline-result"], file=told)
