"""Runs scim2-tester against one server and prints a line a check.

Usage: tester.py BASE_URL TOKEN

A check passes when the server does what the RFC demands, advises or allows. A deviation from an
advice fails here, and so does a check the suite skipped: it would have said nothing.
"""

import sys

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

PASSING = {Status.SUCCESS, Status.COMPLIANT, Status.ACCEPTABLE}


def main() -> int:
    base, token = sys.argv[1:3]
    headers = {"Authorization": f"Bearer {token}"}
    with Client(base_url=base, headers=headers, timeout=60) as http:
        results = check_server(SyncSCIMClient(http))
    failed = 0
    for result in results:
        name = " ".join(filter(None, [result.resource_type, result.title]))
        if result.status in PASSING:
            print(f"ok   {name}")
            continue
        failed += 1
        print(f"FAIL {name}: {result.status.name}: {result.reason}")
        if result.data is not None:
            print(f"     {str(result.data)[:2000]}")
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed or not results else 0


sys.exit(main())
