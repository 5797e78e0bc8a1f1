"""Takes a snapshot through a Holdfast daemon: python3 status.py /run/holdfast/holdfast.sock [SOURCE]"""
import json, socket, sys

daemon = socket.socket(socket.AF_UNIX)
daemon.connect(sys.argv[1])
lines = daemon.makefile("rw", encoding="utf-8")

def call(method, **params):
    print(json.dumps({"jsonrpc": "2.0", "id": method, "method": method, "params": params}), file=lines, flush=True)
    answer = json.loads(lines.readline())
    if "error" in answer:
        sys.exit(answer["error"]["message"])
    return answer["result"]

call("daemon.hello", protocol=1, client={"name": "status.py", "version": "1"})
print("version", call("daemon.status")["version"])
job = call("snapshot.create", **({"sourceId": sys.argv[2]} if len(sys.argv) > 2 else {}))["job"]
end = call("job.wait", id=job["id"], timeoutMs=600_000)["job"]
print("backup", end["status"], (end["result"] or {}).get("snapshotId"))
sys.exit(end["exitCode"])
