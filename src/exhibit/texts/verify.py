#!/usr/bin/env python3
"""Verifies a Custode bundle without Custode: python 3.8 standard library and openssl 3.

Run it in the folder where the bundle was unzipped.
  verify.py [--trust CA.pem] [--key VKEY] [--witness VKEY]
                                            everything; status 0 good, 1 bad, 2 could not be judged
  verify.py --token DOCUMENT FILE           writes the document's first token to FILE, prints the hash it covers and its time
"""
import base64, calendar, hashlib, json, os, subprocess, sys, tempfile, time
import xml.etree.ElementTree as ET

bad, unchecked = [], []


def sha256(data):
    return hashlib.sha256(data).digest()


def read(name):
    with open(name, "rb") as file:
        return file.read()


def digest(name):
    h = hashlib.sha256()
    with open(name, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            h.update(block)
    return h.digest()


def openssl(*arguments):
    done = subprocess.run(("openssl",) + arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode == 0, done.stdout.decode("utf-8", "replace")


def need(condition, what):
    if not condition:
        raise ValueError(what)


# --- signed notes (C2SP signed-note, Ed25519) ---------------------------------------------------------------------------

def ed25519(public, signature, message, name):
    with tempfile.TemporaryDirectory() as folder:
        path = lambda part: os.path.join(folder, part)
        for part, data in (("key", bytes.fromhex("302a300506032b6570032100") + public), ("sig", signature), ("text", message)):
            with open(path(part), "wb") as file:
                file.write(data)
        good, _ = openssl("pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", path("key"),
                          "-sigfile", path("sig"), "-in", path("text"))
    need(good, "the signature of " + name + " does not verify")


def verify_cosignature(note, vkey):
    """C2SP tlog-cosignature: the witness saw this checkpoint. None when it did not sign."""
    name, public = key_of(vkey, 4)
    text, _, lines = note.rpartition("\n\n")
    known = sha256(name.encode() + b"\n\x04" + public)[:4]
    for line in lines.splitlines():
        _, signer, encoded = line.split(" ")
        payload = base64.b64decode(encoded, validate=True)
        if signer == name and payload[:4] == known:
            message = "cosignature/v1\ntime %d\n%s\n" % (int.from_bytes(payload[4:12], "big"), text)
            ed25519(public, payload[12:], message.encode(), name)
            return name
    unchecked.append("checkpoint: not cosigned by " + name)


def verify_note(note, name, public):
    """The text of a note signed under this name by this 32-byte key."""
    text, _, lines = note.rpartition("\n\n")
    text += "\n"
    known = sha256(name.encode() + b"\n\x01" + public)[:4]
    for line in lines.splitlines():
        dash, signer, encoded = line.split(" ")
        signature = base64.b64decode(encoded, validate=True)
        if dash == "\u2014" and signer == name and signature[:4] == known:
            ed25519(public, signature[4:], text.encode(), name)
            return text
    raise ValueError("not signed by " + name)


def key_of(vkey, kind=1):
    name, _, key = vkey.strip().split("+", 2)
    key = base64.b64decode(key, validate=True)
    need(len(key) == 33 and key[0] == kind, "not an Ed25519 vkey of this kind")
    return name, key[1:]


# --- DER, evidence records (RFC 4998), tokens (RFC 3161) ----------------------------------------------------------------

def der(data):
    """The values in data: (tag, contents, whole)."""
    out, at = [], 0
    while at < len(data):
        start, tag, length = at, data[at], data[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[at:at + size], "big")
            at += size
        need(at + length <= len(data), "DER cut short")
        out.append((tag, data[at:at + length], data[start:at + length]))
        at += length
    return out


def sequence(contents):
    n = len(contents)
    length = bytes([n]) if n < 128 else bytes([0x80 | (n.bit_length() + 7) // 8]) + n.to_bytes((n.bit_length() + 7) // 8, "big")
    return b"\x30" + length + contents


def combine(hashes):
    return sha256(b"".join(sorted(hashes)))


def token_time(token):
    """genTime of a token, POSIX seconds; an openssl verification must follow."""
    content_info = der(der(token)[0][1])
    signed_data = der(der(content_info[1][1])[0][1])
    encapsulated = der(signed_data[2][1])
    tst_info = der(der(der(encapsulated[1][1])[0][1])[0][1])
    text = next(value for tag, value, _ in tst_info if tag == 0x18).decode()
    return calendar.timegm(time.strptime(text[:14], "%Y%m%d%H%M%S")), text


def evidence(record, members):
    """For each time-stamp of a record: the hash it covers, its token, the nodes on the way; oldest first."""
    stamps, before = [], b""
    for chain in der(der(der(record)[0][1])[-1][1]):
        covered = [sha256(m + sha256(sequence(before))) for m in members] if before else list(members)
        before += chain[2]
        for stamp in der(chain[1]):
            parts = der(stamp[1])
            token = parts[-1][2]
            tree = [value for tag, value, _ in parts if tag == 0xA2]
            nodes = []
            if tree:
                lists = [[value for _, value, _ in der(part)] for _, part, _ in der(tree[0])]
                first = lists[0]
                fits = covered[0] in first if len(covered) == 1 else sorted(first) == sorted(covered)
                need(fits, "the hash tree does not cover these bytes")
                root = combine(first) if len(first) > 1 else first[0]
                nodes.append(root)
                for siblings in lists[1:]:
                    root = combine(siblings + [root])
                    nodes.append(root)
            else:
                need(len(covered) == 1, "a token alone over several hashes")
                root = covered[0]
            stamps.append((root, token, nodes))
            covered = [sha256(token)]
    need(stamps, "no time-stamp")
    return stamps


judged = {}


def judge(root, token, anchors):
    """Verifies a token; its time."""
    key = (root, sha256(token))
    if key not in judged:
        seconds, text = token_time(token)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "token")
            with open(path, "wb") as file:
                file.write(token)
            good, said = openssl("ts", "-verify", "-digest", root.hex(), "-in", path, "-token_in", "-CAfile", anchors,
                                 "-attime", str(seconds))
        judged[key] = (good, text if good else said.strip().replace("\n", " "))
    good, text = judged[key]
    need(good, "time-stamp: " + text)
    return text


# --- the chain (RFC 9162 inclusion, C2SP tlog-proof) --------------------------------------------------------------------

def verify_entry(seq, checkpoint, name, public):
    line = read("chain/%d.json" % seq)
    proof = read("chain/%d.tlog-proof" % seq).decode()
    head, _, note = proof.partition("\n\n")
    lines = head.split("\n")
    need(lines[0] == "c2sp.org/tlog-proof@v1" and lines[1] == "index %d" % seq, "not the proof of this entry")
    need(note == checkpoint, "the proof is against another checkpoint")
    text = verify_note(note, name, public).split("\n")
    need(text[0] == name, "a checkpoint of another archive")
    size, root = int(text[1]), base64.b64decode(text[2], validate=True)
    need(0 <= seq < size, "outside the chain")
    node, fn, sn = sha256(b"\x00" + line), seq, size - 1
    for sibling in (base64.b64decode(part, validate=True) for part in lines[2:]):
        need(sn, "the path is too long")
        if fn & 1 or fn == sn:
            node = sha256(b"\x01" + sibling + node)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            node = sha256(b"\x01" + node + sibling)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0 and node == root, "the path does not lead to the checkpoint's root")
    entry = json.loads(line)
    need(entry["seq"] == seq and entry["kind"] == "package", "not the entry of a package")
    return entry["package"]


# --- documents and packages ---------------------------------------------------------------------------------------------

RDV = "{urn:custode:rdv:1}"


def members(document):
    return [digest(document[part]) for part in ("file", "metadata_file", "rdv", "manifest", "rdv_signature") if part in document]


def verify_document(document, entries, archive, public, anchors):
    content, metadata, rdv_hash, manifest_hash = members(document)[:4]
    # RdV against its signed note.
    text = verify_note(read(document["note"]).decode(), archive + "/receipt", public).split("\n")
    need(text[1] == document["receipt"] and text[4] == rdv_hash.hex() and text[5] == manifest_hash.hex(),
         "RdV or manifest are not those that the archive signed")
    # Document and metadata against RdV and manifest.
    rdv = ET.fromstring(read(document["rdv"]))
    line = [e for e in rdv.iter(RDV + "Documento") if e.get("id") == document["id"]]
    need(len(line) == 1, "not in the RdV")
    hashes = {e.text for e in line[0].findall(RDV + "Impronta") if e.get("algoritmo") == "SHA-256"}
    need(hashes == {content.hex()}, "the document is not the one received")
    need(line[0].find(RDV + "ImprontaMetadati").text == metadata.hex(), "the metadata are not those received")
    item = [i for i in json.loads(read(document["manifest"]))["documents"] if i["id"] == document["id"]]
    need(len(item) == 1 and item[0]["sha256"] == content.hex() and item[0]["metadata_sha256"] == metadata.hex(),
         "the manifest disagrees")
    # All of them against the time-stamps, and the tree against the chain.
    stamps = evidence(read(document["evidence"]), members(document))
    entry = entries[document["entry"]]
    need("%s/%d" % (entry["series"], entry["number"]) == document["package"], "the entry is of another package")
    need(bytes.fromhex(entry["ers_root"]) in stamps[0][2], "the tree is not that of the package")
    times = [judge(root, token, anchors) for root, token, _ in stamps]
    need(times == sorted(set(times)), "the times of the tokens do not increase")
    return times[0]


def verify_package(package, entry):
    folder = "packages/%s/" % package
    names = set()
    for file in entry["files"]:
        names.add(folder + file["name"])
        need(digest(folder + file["name"]).hex() == file["sha256"], file["name"] + " is not the one in the chain")
    for element in ET.fromstring(read(folder + "PIndex.xml")).iter():
        if element.tag.rpartition("}")[2] not in ("File", "ExternalMetadata"):
            continue  # PIndexSource names other packages
        children = {child.tag.rpartition("}")[2]: (child.text or "").strip() for child in element}
        if "Path" in children and "Hash" in children:
            names.add(folder + children["Path"])
            need(digest(folder + children["Path"]).hex() == children["Hash"], children["Path"] + " is not the one indexed")
    for base, _, files in os.walk(folder):
        for file in files:
            need(os.path.join(base, file).replace(os.sep, "/") in names, file + " is not of the package")


def tell(place, check, *arguments):
    try:
        return check(*arguments)
    except Exception as error:
        bad.append("%s: %s" % (place, error))


def verify_report(report, name, public):
    text = verify_note(read("report.note").decode(), name + "/bundle", public).split("\n")
    need(text[1] == report["bundle"] and text[2] == digest("report.json").hex(), "the note is of another report")


def listed_files(report):
    listed = {"report.json", "report.note"}
    for file in report["files"]:
        listed.add(file["name"])
        if not os.path.isfile(file["name"]):
            bad.append(file["name"] + ": missing")
        elif os.path.getsize(file["name"]) != file["bytes"] or digest(file["name"]).hex() != file["sha256"]:
            bad.append(file["name"] + ": altered")
    for base, _, files in os.walk("."):
        for file in files:
            path = os.path.relpath(os.path.join(base, file), ".").replace(os.sep, "/")
            if path not in listed:
                bad.append(path + ": not listed")


def main(arguments):
    report = json.loads(read("report.json"))
    if arguments[:1] == ["--token"]:
        document = next(d for d in report["documents"] if d["id"] == arguments[1])
        root, token, _ = evidence(read(document["evidence"]), members(document))[0]
        with open(arguments[2], "wb") as file:
            file.write(token)
        print(root.hex(), token_time(token)[0])
        return 0
    options = dict(zip(arguments[::2], arguments[1::2]))
    if len(arguments) % 2 or set(options) - {"--trust", "--key", "--witness"}:
        print(__doc__)
        return 2
    anchors = options.get("--trust", "trust/tsa.pem")
    vkey = options.get("--key") or read("trust/archive.vkey").decode()
    if "--trust" not in options:
        unchecked.append("time-stamping authority: the certificates came with the bundle (--trust)")
    if "--key" not in options:
        unchecked.append("archive: the key came with the bundle (--key)")
    name, public = key_of(vkey)
    if name != report["archive"]:
        bad.append("report.json: of archive %s, not %s" % (report["archive"], name))
    tell("report.note", verify_report, report, name, public)
    listed_files(report)
    checkpoint = read("checkpoint").decode()
    tell("checkpoint", verify_note, checkpoint, name, public)
    if "--witness" in options:
        tell("checkpoint", verify_cosignature, checkpoint, options["--witness"])
    elif len(checkpoint.rpartition("\n\n")[2].splitlines()) > 1:
        unchecked.append("witness: the key of no witness was given (--witness)")
    entries = {p["entry"]: tell("chain/%d.json" % p["entry"], verify_entry, p["entry"], checkpoint, name, public)
               for p in report["packages"]}
    for document in report["documents"]:
        since = tell(document["file"], verify_document, document, entries, name, public, anchors)
        if since:
            print(document["id"], "existed at the latest at / esisteva al più tardi il", since, ascii(document["name"]))
    for package in report["packages"]:
        if package["whole"]:
            tell("packages/" + package["package"], verify_package, package["package"], entries[package["entry"]])
    for line in bad:
        print("BAD", line)
    for line in unchecked:
        print("UNCHECKED", line)
    print("BAD / NON INTEGRO" if bad else "NOT FULLY VERIFIED / NON DEL TUTTO VERIFICATO" if unchecked else "VERIFIED / VERIFICATO")
    return 1 if bad else 2 if unchecked else 0


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    sys.exit(main(sys.argv[1:]))
