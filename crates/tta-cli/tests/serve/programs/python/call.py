"""Calls gRPC methods with any bytes, and prints how each call ended.

    call.py ENDPOINT [CA_FILE] < lines of {"path": "/package.Service/Method", "hex": "0a00", "token": "..."}

Prints a line for each: {"code": "INVALID_ARGUMENT", "details": "...", "hex": "..."}. With a file of
certificates it speaks TLS, and trusts those only.
"""

import json
import pathlib
import sys

import grpc


def main():
    endpoint, files = sys.argv[1], sys.argv[2:]
    if files:
        trusted = grpc.ssl_channel_credentials(pathlib.Path(files[0]).read_bytes())
        names = [("grpc.ssl_target_name_override", "localhost")]
        channel = grpc.secure_channel(endpoint, trusted, options=names)
    else:
        channel = grpc.insecure_channel(endpoint)
    for line in sys.stdin:
        call = json.loads(line)
        method = channel.unary_unary(call["path"])
        metadata = [("authorization", f"Bearer {call['token']}")] if "token" in call else []
        try:
            reply = method(bytes.fromhex(call["hex"]), metadata=metadata, timeout=60)
            ended = {"code": "OK", "details": "", "hex": reply.hex()}
        except grpc.RpcError as error:
            ended = {"code": error.code().name, "details": error.details(), "hex": ""}
        print(json.dumps(ended), flush=True)


main()
