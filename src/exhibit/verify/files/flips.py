"""For each "offset mask" on standard input: what verify.py says of the zip with that bit flipped. Arguments: verify.py, zip, copy."""
import importlib.util, json, sys

spec = importlib.util.spec_from_file_location("verify", sys.argv[1])
verify = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verify)
whole = open(sys.argv[2], "rb").read()


def look():
    findings = []
    try:
        files = verify.Files(sys.argv[3], lambda place, message: findings.append(place))
        seen = {name: files.read(name, size).hex() for name, size in files.sizes.items()} if not findings else {}
    except verify.NoBundle:
        return "bad", {}
    except verify.Unjudged:
        return "unchecked", {}
    except ValueError:
        return "bad", {}
    return "bad" if findings else "good", seen


def written(data):
    with open(sys.argv[3], "wb") as file:
        file.write(data)
    return look()


state, right = written(whole)
assert state == "good", state
for line in sys.stdin:
    at, mask = map(int, line.split())
    flipped = bytearray(whole)
    flipped[at] ^= mask
    state, seen = written(bytes(flipped))
    print("bad" if state == "good" and seen != right else state)
