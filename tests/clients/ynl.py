#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Drives the kernel by kmod/nl31.yaml alone, through Linux's tools/net/ynl.

    ynl.py LINUX-SOURCE SPEC

Each operation of the specification is done by ynl's command line, its events are
received by ynl's library. Wants a network namespace of its own.
"""

import contextlib
import io
import json
import os
import runpy
import sys

LINUX, SPEC = sys.argv[1:]
YNL = os.path.join(LINUX, "tools/net/ynl")
SCHEMA = os.path.join(LINUX, "Documentation/netlink/netlink-raw.yaml")
sys.dont_write_bytecode = True
sys.path.insert(0, YNL)

from lib import YnlFamily  # noqa: E402

done = set()


def cli(kind, operation, attributes=None, *flags):
    """What the command line prints, or the error it prints as a string."""
    if operation:
        done.add((operation, kind))
    sys.argv = ["cli.py", "--spec", SPEC, "--schema", SCHEMA, "--output-json",
                "--process-unknown", *flags]
    sys.argv += ["--" + kind] + ([operation] if operation else [])
    if attributes is not None:
        sys.argv += ["--json", json.dumps(attributes)]
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            runpy.run_path(os.path.join(YNL, "cli.py"), run_name="__main__")
    except SystemExit as end:
        if end.code:
            return said.getvalue()
    said = said.getvalue()
    if kind == "dump" and said.startswith("Netlink warning:"):
        # ynl takes the attribute of the closing NLMSG_DONE, the table's generation, for a
        # warning. It prints that message, which has two lines, first.
        _, message, cookie, said = said.split("\n", 3)
        expect((" nl_type = 3" in message, "extack: " in cookie), (True, True))
    return json.loads(said) if operation else said


def expect(found, wanted):
    if found != wanted:
        sys.exit(f"found    {found}\nexpected {wanted}")


def path(dst, length, **more):
    return {"dst": dst, "dst-len": length, "type": "unicast", "metric": 0, "protocol": 0, **more}


# noop, greet
expect(cli("do", "noop"), None)
greeting = cli("do", "greet", {"text": "good morning"})
expect(sorted(greeting), ["abi", "portid", "text", "version"])
expect(greeting["abi"], 1)
expect(greeting["text"], f"hello, port {greeting['portid']}, you said: good morning")

# newroute, with each flag that the command line knows; getroute; delroute
ten = {"dst": "0a000000", "dst-len": 8}
six = {"dst": "20010db8" + "00" * 12, "dst-len": 32}
expect(cli("do", "newroute", {**ten, "gateway": "c0000201"}, "--create", "--excl"), None)
error = cli("do", "newroute", {**ten, "gateway": "c0000201"}, "--create", "--excl")
if "File exists" not in error or "has a path of metric 0" not in error:
    sys.exit(f"no error of a person's kind: {error}")
expect(cli("do", "newroute", {**ten, "gateway": "c0000202", "protocol": 4}, "--create",
           "--replace"), None)
expect(cli("do", "newroute", {**ten, "type": "blackhole", "metric": 7}, "--create",
           "--append"), None)
expect(cli("do", "newroute", {**six, "oif": 1}, "--create"), None)
first = path("10.0.0.0", 8, gateway="192.0.2.2", protocol=4)
second = path("10.0.0.0", 8, type="blackhole", metric=7)
third = path("2001:db8::", 32, oif=1)
# a dump tells besides why a path is not in use, and in its first message the generation
standby = {**second, "flags": ["standby"]}
down = {**third, "flags": ["linkdown"]}
expect(cli("do", "getroute", {"dst": "0a010203"}), first)
expect(cli("dump", "getroute"), [{**first, "generation": 4}, standby, down])
expect(cli("dump", "getroute", {"type": "blackhole"}), [{**standby, "generation": 4}])
expect(cli("dump", "getroute", six), [{**down, "generation": 4}])
expect(cli("do", "delroute", {**ten, "metric": 7}), None)
expect(cli("dump", "getroute"), [{**first, "generation": 5}, down])

# newtable, gettable
expect(cli("do", "newtable", {"max-routes": 1234}), None)
table = cli("do", "gettable")
table.pop("pad", None)
expect({name: table[name] for name in ("routes4", "routes6", "paths4", "paths6", "max-routes",
                                       "generation", "lookups", "hits", "errors")},
       {"routes4": 1, "routes6": 1, "paths4": 1, "paths6": 1, "max-routes": 1234,
        "generation": 5, "lookups": 1, "hits": 1, "errors": 1})

# newport, getport, delport; a namespace of its own has the loopback device only
for operation in ("newport", "delport", "getport"):
    error = cli("do", operation, {"ifname": "lo"}, *["--create"][:operation == "newport"])
    if "loopback" not in error and "lo is no port" not in error:
        sys.exit(f"{operation}: {error}")
expect(cli("dump", "getport"), [])

# what the specification says there is has been done
listener = YnlFamily(SPEC, SCHEMA, True)
operations = {(name, mode) for name, op in listener.ops.items() for mode in op.modes}
expect(operations - done, set())

# events
listener.ntf_subscribe("route")
cli("do", "delroute", ten)
cli("do", "newroute", {**ten, "type": "prohibit"}, "--create")
cli("do", "newtable", {"max-routes": 99})
listener.check_ntf()
events = listener.async_msg_queue
expect([event["name"] for event in events], ["delroute-ntf", "newroute-ntf", "newtable-ntf"])
expect([event["msg"].get("generation") for event in events], [6, 7, 7])
expect(events[1]["msg"]["type"], "prohibit")
expect(events[2]["msg"]["max-routes"], 99)
print(f"{len(done)} operations and {len(events)} events by the specification")
