"""Listens as a service manager does: binds the datagram socket given as argument, prints each message as one JSON line.

Descriptors that come along (systemd-notify's BARRIER=1) are closed, which is what their sender waits for.
"""

import array
import json
import os
import socket
import sys

DESCRIPTORS_MAX = 16

receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
print(json.dumps("listening"), flush=True)
while True:
    size = array.array("i").itemsize
    message, ancillary, _, _ = receiver.recvmsg(65536, socket.CMSG_LEN(DESCRIPTORS_MAX * size))
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors = array.array("i")
            descriptors.frombytes(data[: len(data) - len(data) % size])
            for descriptor in descriptors:
                os.close(descriptor)
    print(json.dumps(message.decode()), flush=True)
