#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Drives the kernel through pyroute2's netlink socket, which knows nothing of nl31.

Wants a network namespace of its own.
"""

import sys

from pyroute2.netlink import (NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST,
                              nlmsg)
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.nlsocket import NetlinkSocket

NEWROUTE, DELROUTE, GETROUTE = 17, 18, 19
GROUP = 1


class route(nlmsg):
    nla_map = (
        ("NL31_ROUTE_UNSPEC", "none"),
        ("NL31_ROUTE_DST", "ipaddr"),
        ("NL31_ROUTE_DST_LEN", "uint8"),
        ("NL31_ROUTE_TYPE", "uint8"),
        ("NL31_ROUTE_GATEWAY", "ipaddr"),
        ("NL31_ROUTE_OIF", "uint32"),
        ("NL31_ROUTE_METRIC", "uint32"),
        ("NL31_ROUTE_PROTOCOL", "uint8"),
        ("NL31_ROUTE_GENERATION", "uint64"),
        ("NL31_ROUTE_PAD", "none"),
    )


def message(dst, length=None, gateway=None):
    request = route()
    request["attrs"] = [["NL31_ROUTE_DST", dst]]
    if length is not None:
        request["attrs"].append(["NL31_ROUTE_DST_LEN", length])
    if gateway:
        request["attrs"].append(["NL31_ROUTE_GATEWAY", gateway])
    return request


def open_socket(groups=0):
    socket = NetlinkSocket(family=31)
    socket.register_policy({kind: route for kind in (NEWROUTE, DELROUTE, GETROUTE)})
    socket.bind(groups=groups)
    return socket


def expect(found, wanted):
    if found != wanted:
        sys.exit(f"found    {found}\nexpected {wanted}")


client, listener = open_socket(), open_socket(1 << (GROUP - 1))
change = NLM_F_REQUEST | NLM_F_ACK

for number in range(3):
    request = message(f"10.{number}.0.0", 16, "192.0.2.1")
    client.nlm_request(request, NEWROUTE, change | NLM_F_CREATE | NLM_F_EXCL)
try:
    client.nlm_request(request, NEWROUTE, change | NLM_F_CREATE | NLM_F_EXCL)
    sys.exit("a path was added twice")
except NetlinkError as error:
    expect(error.code, 17)

(found,) = client.nlm_request(message("10.1.2.3"), GETROUTE, NLM_F_REQUEST)
expect(found.get_attr("NL31_ROUTE_GATEWAY"), "192.0.2.1")
dump = client.nlm_request(route(), GETROUTE, NLM_F_REQUEST | NLM_F_DUMP)
expect([one.get_attr("NL31_ROUTE_DST") for one in dump], ["10.0.0.0", "10.1.0.0", "10.2.0.0"])
client.nlm_request(message("10.1.0.0", 16), DELROUTE, change)

events = []
while len(events) < 4:
    events += listener.get()
expect([event["header"]["type"] for event in events], [NEWROUTE] * 3 + [DELROUTE])
expect([event.get_attr("NL31_ROUTE_GENERATION") for event in events], [1, 2, 3, 4])
print("pyroute2: changes, a lookup, a dump and events")
