"""A notification socket as systemd opens it: prints every message, one line each, until it is killed.

python3 notify-receiver.py <path>
"""
import os
import socket
import sys

receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
print("bound", flush=True)
while True:
    # systemd-notify sends BARRIER=1 with a descriptor that must be closed for it to go on.
    message, descriptors, _flags, _address = socket.recv_fds(receiver, 65536, 8)
    for descriptor in descriptors:
        os.close(descriptor)
    for line in message.decode().splitlines():
        print(line, flush=True)
