#!/usr/bin/env python3
"""Verifies a Custode bundle without Custode: python 3.8 standard library and openssl 3, no line shared with the program.

  verify.py [BUNDLE] [--trust CA.pem]... [--key VKEY] [--witness VKEY]... [--json]
                                              status 0 good, 1 bad, 2 could not be judged
  verify.py [BUNDLE] --token DOCUMENT FILE    writes a document's first token, prints its hash and time

BUNDLE is the zip or the folder where it was unzipped (default: this folder). --trust: certificates of time-stamping authorities
and signers from a source of your own; --key, --witness: public keys of the archive and of witnesses that must have seen its chain, or files that hold them. What came with the bundle is never
an anchor: without them the best answer is 2. Everything is read as hostile: a file is believed only when a hash leads to it.
"""
import base64, calendar, errno, hashlib, json, os, re, stat, struct, subprocess, sys, tempfile, time, xml.etree.ElementTree as ET, zipfile
from fractions import Fraction

SMALL, REPORT, INDEX = 16 << 20, 512 << 20, 4 << 30  # the largest files read whole
PEOPLE = {"LEGGIMI.html", "README.html", "VERIFICA.txt", "VERIFY.txt", "verify.py", "checkpoint", "trust/tsa.pem", "trust/archive.vkey"}
NOT_JUDGED = ["LEGGIMI.html", "README.html", "VERIFICA.txt", "VERIFY.txt", "verify.py"]  # listed and marked; what they say is not compared
ALGORITHMS = {"608648016503040201": "sha256", "608648016503040202": "sha384", "608648016503040203": "sha512"}


class Unjudged(Exception):
    """Nothing is wrong with it, but no anchor leads to it, or this machine could not read it."""


class NoBundle(Exception):
    """Not even a report."""


def need(condition, what):
    if not condition:
        raise ValueError(what)


def digest_of(algorithm, *parts):
    h = hashlib.new(algorithm)
    for part in parts:
        h.update(part)
    return h.digest()


def sha256(*parts):
    return digest_of("sha256", *parts)


# --- the files of the bundle --------------------------------------------------------------------------------------------

class Files:
    """Plain files by their plain names, in a zip or in a folder."""

    def __init__(self, path, bad):
        self.path, self.sizes, self.zip, self.known = path, {}, None, {}
        if os.path.isdir(path):
            for base, _, names in os.walk(path):
                for name in names:
                    place = os.path.join(base, name)
                    plain = os.path.relpath(place, path).replace(os.sep, "/")
                    if not stat.S_ISREG(os.lstat(place).st_mode):
                        bad(plain, "not a plain file")
                    else:
                        self.sizes[plain] = os.path.getsize(place)
        else:
            self.open_zip(bad)

    def open_zip(self, bad):
        try:
            self.zip = zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
            raise NoBundle(str(error))
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            raise NoBundle("its directory lies outside the file")
        ranges = []
        for entry in self.zip.infolist():
            name, kind = entry.orig_filename, stat.S_IFMT(entry.external_attr >> 16)
            parts = name.split("/")
            plain = len(name) <= 1024 and all(part not in ("", ".", "..") for part in parts) and not re.search(r"[\\:\x00-\x1f\x7f-\x9f]", name)
            if not plain or entry.flag_bits & ~0x80E or kind not in (0, stat.S_IFREG) or entry.compress_type not in (0, 8):
                bad(ascii(name), "not a plain file that bundles hold")
            elif name in self.sizes:
                bad(name, "stands twice")
            else:
                ends = self.header(entry)
                if ends:
                    self.sizes[name] = entry.file_size
                    ranges.append((entry.header_offset,) + ends)
                else:
                    bad(name, "its own header says something else")
        ranges.sort()
        if any(end > start for (_, end, _), (start, _, _) in zip(ranges, ranges[1:])):
            bad("zip", "entries lie over one another")
            self.sizes.clear()
        elif ranges and not self.closes(ranges):
            bad("zip", "bytes that are no entry's")

    def header(self, entry):
        """Where the data of an entry end and what may follow; None when who unpacks from the front reads something else."""
        self.zip.fp.seek(max(entry.header_offset, 0))
        header = self.zip.fp.read(30).ljust(30, b"\0")
        flags, method, _, _, crc, packed, size, name, extra = struct.unpack("<6x4H3L2H", header)
        right = (crc, method) == (entry.CRC, entry.compress_type) and packed in (entry.compress_size, 0xFFFFFFFF) and size in (entry.file_size, 0xFFFFFFFF)
        if not right and not (flags & 8 and method == entry.compress_type):
            return None
        return entry.header_offset + 30 + name + extra + entry.compress_size, (12, 16, 20, 24) if flags & 8 else (0,)

    def closes(self, ranges):
        """Whether entries, directory and its end stand side by side from the first byte to the last, and the end says what there is."""
        self.zip.fp.seek(0, os.SEEK_END)
        length, start, entries = self.zip.fp.tell(), self.zip.start_dir, self.zip.infolist()
        self.zip.fp.seek(length - min(length, 98))
        tail = self.zip.fp.read().rjust(98, b"\0")
        size = 0
        for _ in entries:  # where each ends by its own word
            self.zip.fp.seek(start + size + 28)
            size += 46 + sum(struct.unpack("<3H", self.zip.fp.read(6).ljust(6, b"\0")))
        facts, end, at = (len(entries), len(entries), size, start), struct.unpack("<4s4H2LH", tail[76:]), length - 22
        if tail[56:60] == b"PK\x06\x07":  # zip64
            whole, at, limits = struct.unpack("<4sQ2H2L4Q", tail[:56]), length - 98, (0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
            right = whole[:2] == (b"PK\x06\x06", 44) and whole[4:] == (0, 0) + facts and tail[60:76] == struct.pack("<LQL", 0, at, 1)
            right = right and all(found in (min(fact, most), most) for fact, found, most in zip(facts, end[3:7], limits))
        else:
            right = end[3:7] == facts
        starts = [start for start, _, _ in ranges[1:]] + [start]
        beside = all(start - end in gaps for (_, end, gaps), start in zip(ranges, starts))
        return ranges[0][0] == 0 and beside and right and end[:3] == (b"PK\x05\x06", 0, 0) and end[7] == 0 and start + size == at

    def blocks(self, name, limit):
        """The file in blocks, not one byte beyond `limit`."""
        need(name in self.sizes, "missing")
        try:
            with self.zip.open(name) if self.zip else open(os.path.join(self.path, name), "rb") as file:
                total = 0
                while True:
                    block = file.read(1 << 20)
                    if not block:
                        return
                    total += len(block)
                    need(total <= limit, "longer than it should be")
                    yield block
        except OSError as error:
            raise Unjudged(str(error))
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
            raise ValueError("altered: %s" % error)
        except Exception as error:  # zlib.error
            raise error if isinstance(error, (ValueError, Unjudged)) else ValueError("altered: %s" % error)

    def read(self, name, limit=SMALL):
        return b"".join(self.blocks(name, limit))

    def digest(self, name, algorithm="sha256"):
        """Hash of a file that is on the signed list, and so has the length it should."""
        if (name, algorithm) not in self.known:
            h = hashlib.new(algorithm)
            for block in self.blocks(name, self.sizes.get(name, 0)):
                h.update(block)
            self.known[name, algorithm] = h.digest()
        return self.known[name, algorithm]


def instant(text):
    """An instant as reports write it: fractions without trailing zeros."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?Z", text)
    need(match, "not an instant")
    fraction = (match.group(2) or "").rstrip("0")
    return match.group(1) + ("." + fraction if fraction else "") + "Z"


def xml(data):
    """Our XML has no document type, and so no entities that could grow."""
    need(b"<!" not in data.replace(b"<!--", b""), "XML that bundles do not hold")
    try:
        return ET.fromstring(data)
    except ET.ParseError as error:
        raise ValueError("not XML: %s" % error)


def openssl(*arguments, **files):
    """Runs openssl; `@name` stands for the path of a temporary file with that content."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(data)
        line = [os.path.join(folder, a[1:]) if a.startswith("@") else a for a in arguments]
        try:
            done = subprocess.run(["openssl"] + line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except OSError as error:
            raise Unjudged("openssl cannot be run: %s" % error)
    return done.returncode == 0, done.stdout.decode("utf-8", "replace")


# --- signed notes (C2SP signed-note) and the archive's Ed25519 key ------------------------------------------------------

opened_notes = {}


def ed25519(public, message, signature):
    good, _ = openssl("pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", "@key", "-sigfile", "@sig", "-in", "@text",
                      key=bytes.fromhex("302a300506032b6570032100") + public, sig=signature, text=message)
    return good


def note_lines(note):
    """Text of a note and its signature lines: (name, key id, signature)."""
    text, separator, lines = note.rpartition("\n\n")
    need(separator and lines.endswith("\n") and len(lines) < 1 << 16, "not a signed note")
    signatures = []
    for line in lines.splitlines():
        parts = line.split(" ")
        need(len(parts) == 3 and parts[0] == "\u2014", "not a signed note")
        payload = base64.b64decode(parts[2], validate=True)
        signatures.append((parts[1], payload[:4], payload[4:]))
    return text + "\n", signatures


def open_note(note, name, *keys):
    """The lines of a note signed under this name by one of these keys, or by several."""
    if (note, name, keys) not in opened_notes:
        text, signatures = note_lines(note)
        own = [(key, s) for n, k, s in signatures for key in keys if n == name and k == sha256(name.encode() + b"\n\x01" + key)[:4]]
        need(own, "not signed by %s with the key in force" % name)
        need(all(ed25519(key, text.encode(), signature) for key, signature in own), "the signature of %s does not verify" % name)
        opened_notes[note, name, keys] = text.split("\n")
    return opened_notes[note, name, keys]


def cosigned(note, name, public):
    """When a witness says that it saw this checkpoint (C2SP tlog-cosignature), None when it did not sign."""
    text, signatures = note_lines(note)
    own = [s for n, k, s in signatures if n == name and k == sha256(name.encode() + b"\n\x04" + public)[:4]]
    for signature in own:
        message = "cosignature/v1\ntime %d\n%s" % (int.from_bytes(signature[:8], "big"), text)
        need(len(signature) == 72 and ed25519(public, message.encode(), signature[8:]), "the cosignature of %s does not verify" % name)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int.from_bytes(own[0][:8], "big"))) if own else None


def parse_vkey(vkey, kind=1):
    parts = vkey.strip().split("+", 2)
    need(len(parts) == 3, "not a vkey")
    name, key_id, key = parts[0], parts[1], base64.b64decode(parts[2], validate=True)
    need(name and len(key) == 33 and key[0] == kind, "not an Ed25519 vkey, or not of this kind")
    need(sha256(name.encode() + b"\n" + key)[:4].hex() == key_id, "its key id is not that of the key")
    return name, key[1:]


# --- DER, evidence records (RFC 4998), tokens (RFC 3161) ----------------------------------------------------------------

def der(data):
    """The values in data: (tag, contents, whole)."""
    out, at = [], 0
    while at < len(data):
        need(at + 2 <= len(data) and data[at] & 0x1F != 0x1F, "not DER")
        start, tag, length = at, data[at], data[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[at:at + size], "big")
            need(0 < size <= 4 and at + size <= len(data) and length >= 128 and length >> 8 * (size - 1), "not DER")
            at += size
        need(at + length <= len(data), "DER cut short")
        out.append((tag, data[at:at + length], data[start:at + length]))
        at += length
    return out


def one(data, tag=0x30):
    values = der(data)
    need(len(values) == 1 and values[0][0] == tag, "not the DER value expected")
    return values[0][1]


def sequence(contents):
    n, size = len(contents), (len(contents).bit_length() + 7) // 8
    return b"\x30" + (bytes([n]) if n < 128 else bytes([0x80 | size]) + n.to_bytes(size, "big")) + contents


def algorithm_of(identifier):
    """AlgorithmIdentifier contents to a name that hashlib and openssl know."""
    parts = der(identifier)
    need(parts and parts[0][0] == 6 and (len(parts) == 1 or parts[1][2] == b"\x05\x00"), "not a digest algorithm")
    if parts[0][1].hex() not in ALGORITHMS:
        raise Unjudged("a digest algorithm that is not known here")
    return ALGORITHMS[parts[0][1].hex()]


def token_info(token):
    """Of a token: its digest algorithm, its imprint, its time as seconds (a fraction), the same as text. To be verified after."""
    content = der(one(token))
    signed = der(one(content[1][1]))
    info = der(one(one(der(signed[2][1])[1][1], 4)))
    imprint = der(info[2][1])
    text = next(value for tag, value, _ in info if tag == 0x18).decode("ascii")
    match = re.fullmatch(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\.\d+)?Z", text)
    need(match, "its time cannot be read")
    seconds = calendar.timegm(tuple(int(part) for part in match.groups()[:6]))
    shown = "%s-%s-%sT%s:%s:%s" % match.groups()[:6] + (match.group(7) or "") + "Z"
    return algorithm_of(imprint[0][1]), imprint[1][1], seconds + Fraction(match.group(7) or "0"), shown


def combine(algorithm, hashes):
    return digest_of(algorithm, *sorted(hashes))


def evidence(record, hashes):
    """For each time-stamp of a record, oldest first: algorithm, the hash it covers, its token, the nodes on the way there.
    `hashes(algorithm)` gives the hashes of the members of the group."""
    parts = der(one(record))
    need(len(parts) == 3 and parts[0][2] == b"\x02\x01\x01" and parts[1][0] == parts[2][0] == 0x30, "not an evidence record")
    named = {ALGORITHMS.get(der(value)[0][1].hex()) for _, value, _ in der(parts[1][1])}
    stamps, before = [], b""
    for _, chain, whole in der(parts[2][1]):
        previous, in_chain = None, None
        for tag, stamp, _ in der(chain):
            fields = der(stamp)
            need(tag == 0x30 and fields and fields[-1][0] == 0x30, "not an archive time-stamp")
            token, options = fields[-1][2], {t: value for t, value, _ in fields[:-1]}
            need(set(options) <= {0xA0, 0xA1, 0xA2} and len(options) == len(fields) - 1, "not an archive time-stamp")
            algorithm = token_info(token)[0]
            need(0xA0 not in options or algorithm_of(options[0xA0]) == algorithm, "the digest algorithm is not that of the token")
            need(algorithm in named and in_chain in (None, algorithm), "algorithms mixed, or not named")
            in_chain = algorithm
            if previous is not None:
                covered = [digest_of(algorithm, previous)]
            elif before:
                bound = digest_of(algorithm, sequence(before))
                covered = [digest_of(algorithm, member, bound) for member in hashes(algorithm)]
            else:
                covered = hashes(algorithm)
            nodes = []
            if 0xA2 in options:
                lists = [[value for _, value, _ in der(part)] for _, part, _ in der(options[0xA2])]
                need(lists and all(lists), "an empty hash tree")
                first = lists[0]
                fits = covered[0] in first if len(covered) == 1 else sorted(first) == sorted(covered)
                need(fits, "the hash tree does not cover these bytes")
                root = combine(algorithm, first) if len(first) > 1 else first[0]
                nodes.append(root)
                for siblings in lists[1:]:
                    root = combine(algorithm, siblings + [root])
                    nodes.append(root)
            else:
                need(len(covered) == 1, "a token alone over several hashes")
                root = covered[0]
            stamps.append((algorithm, root, token, nodes))
            previous = token
        need(previous is not None, "an empty chain")
        before += whole
    need(stamps, "no time-stamp")
    return stamps


def chain_trouble(said):
    """Whether openssl's only complaint is that no anchor leads to it."""
    return re.search(r"[Vv]erify error: ?(unable to get (local )?issuer certificate|self.signed certificate)", said) is not None


# --- signatures (detached CAdES-BES) and who may sign (AuthorizedSigner of the index) -----------------------------------

SUBJECT = {"550405": "serialNumber", "550461": "organizationIdentifier", "55042a": "given", "550404": "surname",
           "550403": "common", "55040a": "organization"}


def canonical(text):
    """An identifier as ETSI EN 319 412-1 writes it, however the certificate does."""
    return re.sub(r"^(CF:|TIN:)", "TIN", re.sub(r"^IT:", "TINIT-", text.strip().upper()))


def folded(text):
    return "".join(c.lower() for c in text if c.isalnum())


def subject_of(certificate):
    parts = [p for p in der(der(one(certificate))[0][1]) if p[0] != 0xA0]
    subject = {}
    for _, rdn, _ in der(parts[4][1]):
        for _, pair, _ in der(rdn):
            (_, oid, _), (tag, value, _) = der(pair)
            text = value.decode({0x1E: "utf-16-be", 0x14: "latin-1"}.get(tag, "utf-8"), "replace")
            subject.setdefault(SUBJECT.get(oid.hex(), oid.hex()), text)
    return subject


def may_sign(agent, subject):
    """Whether the certificate's subject is this agent: (identifier, first and last name, formal name)."""
    identifier, first, last, formal = agent
    known = [canonical(subject[name]) for name in ("serialNumber", "organizationIdentifier") if name in subject]
    if identifier:
        own = canonical(identifier)
        if own in known or any(other[:5] == own[:5] for other in known):
            return own in known
    given, surname, common, organization = (folded(subject.get(n, "")) for n in ("given", "surname", "common", "organization"))
    if formal is not None:
        return not given and not surname and folded(formal) in (organization, common)
    first, last = folded(first), folded(last)
    return (given, surname) == (first, last) if given or surname else common in (first + last, last + first)


class Judge:
    """Judges tokens and signatures: with the reader's anchors, else with the bundle's, remembering that it was so."""

    def __init__(self, given, own, signers):
        self.given, self.own, self.signers, self.known, self.missing, self.signatures = given, own, signers, {}, set(), []

    def signer(self, p7s, content, time):
        """Certificate of who signed this content, which leads to an anchor at this time."""
        signed = der(one(der(one(p7s))[1][1]))
        need(len(der(signed[2][1])) == 1 and len(der(signed[-1][1])) == 1, "not a detached signature of one signer")
        said = ""
        for anchors in [self.given, self.signers] if self.given is not None else [self.signers]:
            with tempfile.TemporaryDirectory() as folder:
                who = os.path.join(folder, "signer")
                good, said = openssl("cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", "@p7s", "-content", "@content",
                                     "-CAfile", "@ca", "-partial_chain", "-purpose", "any", "-attime", str(time), "-signer", who,
                                     "-out", os.devnull, p7s=p7s, content=content, ca=anchors)
                if good:
                    with open(who) as file:
                        lines = file.read().split("-----")
                    return base64.b64decode(lines[2])
            need(chain_trouble(said) or not anchors.strip(), "signature: " + said.strip().replace("\n", " "))
            if anchors is self.given:
                self.missing.add(("signer", "no certificate given with --trust leads to a signer's authority"))
        # No anchor: whatever else is wrong with it shows when its own certificates are taken for one.
        _, own = openssl("pkcs7", "-inform", "DER", "-print_certs", "-in", "@p7s", p7s=p7s)
        good, said = openssl("cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", "@p7s", "-content", "@content", "-CAfile", "@ca",
                             "-partial_chain", "-purpose", "any", "-attime", str(time), "-out", os.devnull, p7s=p7s, content=content, ca=own.encode())
        need(good, "signature: " + said.strip().replace("\n", " "))
        raise Unjudged("no certificate leads to the signer's authority")

    def time(self, algorithm, root, token):
        """Time of a token over this root, as seconds and as text, and whether an anchor leads to it; raises when it is wrong."""
        key = (root, sha256(token))
        if key not in self.known:
            try:
                self.known[key] = self.judged(algorithm, root, token)
            except (ValueError, IndexError, StopIteration) as error:
                self.known[key] = ValueError(str(error) or "not a token")
        if isinstance(self.known[key], Exception):
            raise self.known[key]
        return self.known[key]

    def judged(self, algorithm, root, token):
        stamped_algorithm, stamped, seconds, shown = token_info(token)
        need((stamped_algorithm, stamped) == (algorithm, root), "the token covers something else")

        def leads_to(anchors):
            good, said = openssl("ts", "-verify", "-digest", root.hex(), "-" + algorithm, "-in", "@token", "-token_in", "-CAfile", "@ca",
                                 "-partial_chain", "-attime", str(int(seconds)), token=token, ca=anchors)
            need(good or chain_trouble(said), "time-stamp: " + said.strip().replace("\n", " "))
            return good

        if self.given is not None and leads_to(self.given):
            return seconds, shown, True
        if leads_to(self.own):
            if self.given is not None:
                self.missing.add(("time-stamping authority", "no certificate given leads to the authority of the token of " + shown))
            return seconds, shown, True
        # No anchor: whatever else is wrong with it shows when its own certificates are taken for one.
        good, certificates = openssl("pkcs7", "-inform", "DER", "-print_certs", "-in", "@token", token=token)
        need(good and leads_to(certificates.encode()), "the token does not verify with its own certificates")
        return seconds, shown, False


# --- one verification ---------------------------------------------------------------------------------------------------

RDV, METADATA, SERIES = "{urn:custode:rdv:1}", "{urn:custode:metadata:1}", "{urn:custode:series:1}"


def decoded(text):
    """Text of our metadata files: a backslash stands for two, or for a character that XML cannot hold."""
    return re.sub(r"\\(?:u([0-9a-f]{4})|\\)", lambda m: chr(int(m.group(1), 16)) if m.group(1) else "\\", text or "")


def members(line):
    """The files of a document's group in its evidence record."""
    return [line[part] for part in ("file", "metadata_file", "rdv", "manifest", "rdv_signature") if part in line]


class Run:
    def __init__(self, path, trust, key, witnesses):
        self.findings, self.used, self.entries, self.digests = [], set(PEOPLE), {}, {}
        self.files = Files(path, self.bad)
        if "report.json" not in self.files.sizes:
            raise NoBundle("report.json is missing")
        try:
            data = self.files.read("report.json", REPORT)
            self.report = json.loads(data)
            need(self.report["schema"] == "urn:custode:bundle:1", "another schema")
            [d["id"] for d in self.report["documents"]], [p["entry"] for p in self.report["packages"]], self.report["files"]
            [k["entry"] for k in self.report.get("keys", [])]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise NoBundle("report.json: %s" % error)
        self.archive = self.report["archive"]
        try:
            own = parse_vkey(self.files.read("trust/archive.vkey", 4096).decode())
        except (ValueError, Unjudged) as error:
            own = None
            self.bad("trust/archive.vkey", str(error))
            if key is None:
                raise NoBundle("trust/archive.vkey: %s" % error)
        self.name, newest = own or key
        # From the size of the chain on, the key in force, since when, and why the one before it ended.
        self.keys = self.attempt("report.json", self.changes, newest) or [(-1, newest, None, None)]
        known = [public for _, public, _, _ in self.keys]
        if key and (key[0] != self.name or key[1] not in known):
            self.bad("trust/archive.vkey", "not the key that was given with --key, nor one that it leads to")
            self.name, self.keys = key[0], [(-1, key[1], None, None)]
        elif key and any(reason == "compromised" for _, _, _, reason in self.keys[known.index(key[1]) + 1:]):
            self.unjudged("archive key", "declared compromised, or leads on through one that was: give the newest")
        if self.name != self.archive:
            self.bad("report.json", "of an archive whose name is not that of the key")
        self.public = self.keys[-1][1]
        self.attempt("report.note", self.report_note, data)
        self.listed_files()
        self.checkpoint = None
        self.attempt("checkpoint", self.open_checkpoint)
        self.witnesses = self.attempt("checkpoint", self.seen, witnesses) or []
        for change in self.report.get("keys", []):
            self.attempt("chain/%s.json" % change["entry"], self.proved, change["entry"])
        for package in self.report["packages"]:
            self.attempt("chain/%s.json" % package["entry"], self.chain_entry, package)
        signers = "trust/signers.pem" if "trust/signers.pem" in self.files.sizes else None
        self.used.add(signers)
        self.judge = Judge(trust, self.attempt("trust/tsa.pem", self.certificates, "trust/tsa.pem") or b"",
                           signers and self.attempt(signers, self.certificates, signers) or b"")
        self.report_signature()
        stems = [name[:-11] for name in sorted(self.files.sizes) if name.startswith("chain/stamps/") and name.endswith(".checkpoint")]
        self.stamps = [stamp for stamp in (self.attempt(stem + ".checkpoint", self.stamp, stem) for stem in stems) if stamp]
        self.documents = [self.document(line) for line in self.report["documents"]]
        if len({line["id"] for line in self.report["documents"]}) != len(self.documents):
            self.bad("report.json", "a document stands twice")
        for package in self.report["packages"]:
            if package["whole"]:
                self.attempt("packages/%s" % package["package"], self.package, package)
        for name in sorted(set(self.digests) - self.used):
            self.bad(name, "it belongs to no document and no package of the report")
        if key is None:
            self.unjudged("archive key", "it came with the bundle (--key)")
        if trust is None:
            self.unjudged("time-stamping authority", "its certificates came with the bundle (--trust)")
            if self.judge.signatures:
                self.unjudged("signer", "no certificate of the signer's authority was given (--trust)")
        for place, missing in sorted(self.judge.missing):
            self.unjudged(place, missing)

    def bad(self, place, message):
        self.findings.append(("bad", place, message))

    def unjudged(self, place, message):
        self.findings.append(("unchecked", place, message))

    def attempt(self, place, check, *arguments):
        """What a check gives; what it raises is a finding at this place."""
        try:
            return check(*arguments)
        except Unjudged as error:
            self.unjudged(place, str(error))
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, StopIteration, RecursionError) as error:
            self.bad(place, str(error) or type(error).__name__)

    def outcome(self, findings=None):
        worst = {outcome for outcome, _, _ in (self.findings if findings is None else findings)}
        return "bad" if "bad" in worst else "unchecked" if "unchecked" in worst else "good"

    def small(self, name):
        """A small file that is on the list."""
        self.used.add(name)
        return self.files.read(name)

    def certificates(self, name):
        """The certificates that came with the bundle (PEM)."""
        data = self.files.read(name)
        blocks = re.findall(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", data, re.S)
        need(blocks and data.count(b"-----BEGIN") == data.count(b"-----END") == len(blocks), "not certificates in PEM")
        for block in blocks:
            der(one(base64.b64decode(b"".join(block.split()), validate=True)))
        return data

    def hash(self, name, algorithm="sha256"):
        self.used.add(name)
        need(name in self.files.sizes, name + ": missing")
        return self.files.digest(name, algorithm)

    def same(self, name, expected, what):
        need(self.hash(name).hex() == expected, "%s: %s" % (name, what))

    # The keys of the archive: each signs from its entry on the chain to the next one.

    def changes(self, newest):
        """The changes of key, each signed by the old key and the new: from any key one gets to all."""
        keys, shown = [], self.report.get("keys", [])
        need(len(shown) <= 1000, "more changes of key than any archive makes")
        for number, told in enumerate(shown, 1):
            entry = json.loads(self.files.read("chain/%d.json" % told["entry"], 60 << 10))
            said, seq, at = entry["key"], entry["seq"], instant(entry["at"])
            (name, old), (new_name, new) = parse_vkey(said["old"]), parse_vkey(said["new"])
            keys = keys or [(-1, old, None, None)]
            right = entry["kind"] == "key" and said["number"] == number and set(said) == {"number", "old", "new", "reason", "note"}
            need(right and said["reason"] in ("routine", "compromised"), "a change of key is missing, or out of order")
            need(keys[-1][1] == old and seq > keys[-1][0] and name == new_name == self.name, "not a change of the key in force")
            need(new not in [public for _, public, _, _ in keys], "a key that was in force before")
            for public in (old, new):
                lines = open_note(said["note"], name + "/key", public)
            root = base64.b64decode(lines[3], validate=True)
            right = [name + "/key", str(number), str(seq), lines[3], said["old"], said["new"], said["reason"], ""]
            need(lines == right and len(root) == 32, "the signed note is of another change of key")
            same = [told["entry"], instant(told["at"]), told["reason"], told["old"], told["new"]]
            need(same == [seq, at, said["reason"], said["old"], said["new"]], "not what the entry of the change of key says")
            keys.append((seq, new, at, said["reason"]))
        need(not shown or keys[-1][1] == newest, "the last change of key put another key in force")
        return keys

    def key_at(self, size):
        return [public for seq, public, _, _ in self.keys if seq < size][-1]

    def open_checkpoint_note(self, note):
        """Text of a checkpoint: by the key in force at its size; the first one of a reign is signed by the old key as well."""
        size = int(note.split("\n")[1])
        old = [self.keys[n - 1][1] for n, key in enumerate(self.keys) if n and key[0] + 1 == size]
        text = open_note(note, self.name, self.key_at(size), *old)
        need(len(text) == 4 and text[3] == "" and text[0] == self.name and str(size) == text[1], "not a checkpoint of this archive")
        return text

    # The list of files and its note.

    def report_note(self, data):
        lines = open_note(self.files.read("report.note").decode(), self.name + "/bundle", self.public)
        right = [self.archive + "/bundle", self.report["bundle"], sha256(data).hex()]
        made = len(lines) == 5 and lines[4] == "" and instant(lines[3]) == instant(self.report["made_at"])
        need(made and lines[:3] == right, "the signed note is of another report")

    def listed_files(self):
        listed = {"report.json", "report.note", "report.json.p7s"}
        for line in self.report["files"]:
            name = line["name"]
            if name in listed:
                self.bad("report.json", "lists %s twice" % name)
            listed.add(name)
            if name not in self.files.sizes:
                self.bad(name, "missing")
            elif self.files.sizes[name] != line["bytes"]:
                self.bad(name, "altered: not the length that the report lists")
            else:
                found = self.attempt(name, self.files.digest, name)
                if found is not None:
                    self.digests[name] = found
                    if found.hex() != line["sha256"]:
                        self.bad(name, "altered: not the file that the report lists")
        for name in sorted(set(self.files.sizes) - listed):
            self.bad(name, "not on the report's list")
        for name in sorted(PEOPLE - set(self.files.sizes) - listed):
            self.bad(name, "missing")

    # The chain: RFC 9162 inclusion, C2SP tlog-checkpoint and tlog-proof.

    def open_checkpoint(self):
        note = self.small("checkpoint").decode()
        text = self.open_checkpoint_note(note)
        self.checkpoint = note, int(text[1]), base64.b64decode(text[2], validate=True)

    def seen(self, given):
        """The witnesses given must have cosigned the checkpoint; those of the bundle are looked at when none were given."""
        note, seen, own = self.small("checkpoint").decode(), [], []
        if "trust/witnesses" in self.files.sizes:
            lines = self.attempt("trust/witnesses", lambda: self.small("trust/witnesses").decode().splitlines()) or []
            own = [self.attempt("trust/witnesses", parse_vkey, line, 4) for line in lines]
        for key in given or filter(None, own):
            at = self.attempt("checkpoint", cosigned, note, *key)
            if at:
                seen.append({"witness": key[0], "at": at})
            elif ("bad", "checkpoint") not in [finding[:2] for finding in self.findings]:
                self.unjudged("checkpoint", "not cosigned by " + key[0])
        if any(name != self.name for name, _, _ in note_lines(note)[1]) and not given:
            self.unjudged("witness", "the key of no witness was given (--witness)")
        return seen

    def stamp(self, stem):
        """A time-stamp over an earlier checkpoint, which the bundle's own continues (RFC 9162 section 2.1.4.2)."""
        note, reply, proof = (self.small(stem + part) for part in (".checkpoint", ".tsr", ".consistency"))
        text = self.open_checkpoint_note(note.decode())
        need(self.checkpoint, "no checkpoint that it could lead to")
        (_, size, root), old, old_root = self.checkpoint, int(text[1]), base64.b64decode(text[2], validate=True)
        path = [base64.b64decode(line, validate=True) for line in proof.decode().splitlines()[:64]]
        need(0 < old <= size, "not an earlier checkpoint")
        if old == size:
            need(not path and old_root == root, "another chain than the bundle's")
        else:
            if old & (old - 1) == 0:
                path.insert(0, old_root)
            need(path, "no proof")
            fn, sn = old - 1, size - 1
            while fn & 1:
                fn, sn = fn >> 1, sn >> 1
            first = second = path[0]
            for sibling in path[1:]:
                need(sn, "the path is too long")
                if fn & 1 or fn == sn:
                    first, second = sha256(b"\x01", sibling, first), sha256(b"\x01", sibling, second)
                    while not fn & 1 and fn:
                        fn, sn = fn >> 1, sn >> 1
                else:
                    second = sha256(b"\x01", second, sibling)
                fn, sn = fn >> 1, sn >> 1
            need((first, second, sn) == (old_root, root, 0), "nothing leads from the stamped checkpoint to the bundle's")
        token, record = der(one(reply))[1][2], stem + ".ers"
        algorithm = token_info(token)[0]
        tokens = [(algorithm, digest_of(algorithm, note), token)]
        if record in self.files.sizes:  # renewed: the record begins with that token
            renewed = evidence(self.small(record), lambda algorithm: [digest_of(algorithm, note)])
            tokens = [stamp[:3] for stamp in renewed]
            need(tokens[0][2] == token, record + ": it does not begin with the time-stamp beside it")
        since, times = self.times(tokens)
        return {"size": old, "at": since, "stamped_at": times}

    def times(self, tokens):
        """Since when tokens prove what the first covers and each next one renews, and the times of all of them."""
        times = [self.judge.time(algorithm, root, token) for algorithm, root, token in tokens]
        need(all(a[0] < b[0] for a, b in zip(times, times[1:])), "the times of the tokens do not increase")
        proving = [shown for _, shown, trusted in times if trusted]
        if not proving:
            raise Unjudged("no certificate leads to the authority of its time-stamps")
        return proving[0], [shown for _, shown, _ in times]

    def proved(self, seq):
        """An entry that the checkpoint covers."""
        line, proof = self.small("chain/%d.json" % seq), self.small("chain/%d.tlog-proof" % seq).decode()
        head, _, note = proof.partition("\n\n")
        lines = head.split("\n")
        need(self.checkpoint and lines[:2] == ["c2sp.org/tlog-proof@v1", "index %d" % seq], "not the proof of this entry")
        checkpoint, size, root = self.checkpoint
        need(note == checkpoint, "the proof is against another checkpoint")
        need(0 <= seq < size, "outside the chain")
        node, fn, sn = sha256(b"\x00", line), seq, size - 1
        for sibling in (base64.b64decode(part, validate=True) for part in lines[2:]):
            need(sn, "the path is too long")
            if fn & 1 or fn == sn:
                node = sha256(b"\x01", sibling, node)
                while not fn & 1 and fn:
                    fn, sn = fn >> 1, sn >> 1
            else:
                node = sha256(b"\x01", node, sibling)
            fn, sn = fn >> 1, sn >> 1
        need(sn == 0 and node == root, "the path does not lead to the checkpoint's root")
        entry = json.loads(line)
        need(entry["seq"] == seq, "another entry")
        return entry

    def chain_entry(self, package):
        entry = self.proved(package["entry"])
        facts = entry["package"]
        right = entry["kind"] == "package" and "%s/%d" % (facts["series"], facts["number"]) == package["package"]
        need(right, "not the entry of this package")
        for seq in package.get("renewals", []):  # the files of later generations of its evidence
            renewal = self.proved(seq)
            need(renewal["kind"] == "renewal", "not the entry of a renewal")
            own = [r for r in renewal["renewal"]["packages"] if r["package"] == package["package"]]
            need(len(own) == 1, "a renewal of other packages")
            facts["files"] += own[0]["files"]
        self.entries[package["entry"]] = facts

    # Documents.

    def document(self, line):
        before, accepted = len(self.findings), line["accepted_at"]
        facts = self.attempt("report.json", self.places, line) and self.attempt(line["note"], self.receipt, line)
        if facts:
            accepted = facts[1]
            self.attempt(line["file"], self.content, line, facts[0])
            self.attempt(line["metadata_file"], self.metadata, line, facts[0])
        self.attempt("report.json", self.revocation, line)
        since, times = self.attempt(line["evidence"], self.document_evidence, line) or (None, [])
        if "rdv_signature" in line:
            self.signature(line["rdv_signature"], line["rdv"], since)
        if facts:
            self.attempt(line["note"], self.under_compromised, line, facts[2], since)
        if times and line["exists_since"] not in times[times.index(since):]:
            self.bad("report.json", "%s: exists_since is not the time of one of its time-stamps, or older than what they prove" % line["id"])
        files = {line[part] for part in ("file", "metadata_file", "rdv", "note", "manifest", "evidence", "rdv_signature") if part in line}
        own = [f for n, f in enumerate(self.findings) if n >= before or f[1] in files]
        return {"id": line["id"], "name": line["name"], "file": line["file"], "class": line["class"], "package": line["package"],
                "sha256": self.digests[line["file"]].hex() if line["file"] in self.digests else line["sha256"],
                "accepted_at": accepted, "exists_since": since, "stamped_at": times,
                "outcome": self.outcome(own)}

    def folder(self, line):
        package = [p for p in self.report["packages"] if p["package"] == line["package"] and p["entry"] == line["entry"]]
        need(len(package) == 1, "%s: no such package" % line["id"])
        return "packages/%s/" % line["package"] if package[0]["whole"] else ""

    def places(self, line):
        folder, receipt = self.folder(line), line["receipt"]
        right = {"evidence": "evidence/%s.ers" % line["id"], "metadata_file": "%smetadata/%s.xml" % (folder, line["id"]),
                 "rdv": "%sreceipts/%s.xml" % (folder, receipt), "note": "%sreceipts/%s.note" % (folder, receipt),
                 "manifest": "%smanifests/%s.json" % (folder, receipt)}
        if "rdv_signature" in line:
            right["rdv_signature"] = "%sreceipts/%s.xml.p7s" % (folder, receipt)
        start = folder + "documents/" + line["id"] + ("." if folder else "/")
        right = all(line[name] == place for name, place in right.items()) and line["file"].startswith(start)
        need(right and "/" not in line["file"][len(start):], "%s: files elsewhere than the format says" % line["id"])
        return True

    def receipt(self, line):
        """RdV and manifest against the note that the archive signed; the document's item and when it was accepted."""
        data, manifest_data = self.small(line["rdv"]), self.small(line["manifest"])
        rdv, manifest = xml(data), json.loads(manifest_data)
        value = lambda name: rdv.find(RDV + name).text
        chain = rdv.find(RDV + "Catena")
        size = int(chain.get("dimensione"))
        text = open_note(self.small(line["note"]).decode(), self.name + "/receipt", self.key_at(size))
        right = [self.name + "/receipt", value("Identificativo"), value("Corsia"), value("Numero"), sha256(data).hex(),
                 sha256(manifest_data).hex(), value("Emissione"), chain.get("dimensione"), chain.get("radice"), ""]
        need(text == right, "the signed note is of another receipt")
        need(value("Identificativo") == line["receipt"] == manifest["receipt"], "of another receipt")
        need((rdv.find(RDV + "Avvertenza") is not None) == self.report["trial"], "trial: the receipt says otherwise")
        element = [e for e in rdv.iter(RDV + "Documento") if e.get("id") == line["id"]]
        item = [i for i in manifest["documents"] if i["id"] == line["id"]]
        need(len(element) == len(item) == 1, "does not name the document")
        hashes = {e.get("algoritmo"): e.text for e in element[0].findall(RDV + "Impronta")}
        told = (hashes.get("SHA-256"), hashes.get("BLAKE3"), element[0].find(RDV + "ImprontaMetadati").text,
                int(element[0].find(RDV + "Byte").text), element[0].find(RDV + "Formato").text)
        item = item[0]
        need(told == (item["sha256"], item["blake3"], item["metadata_sha256"], item["bytes"], item["media_type"]),
             "RdV and manifest disagree")
        return item, instant(value("Emissione")), size

    def under_compromised(self, line, size, since):
        """A receipt under a key that was declared compromised needs an entry or a time-stamp older than that, or a signature."""
        signed = {"file": line.get("rdv_signature"), "outcome": "good"} in self.judge.signatures
        ended = [(seq, at, reason) for seq, _, at, reason in self.keys if seq >= size][:1]
        for seq, at, reason in ended:
            if reason == "compromised" and not signed and not (line["entry"] in self.entries and line["entry"] < seq) and not (since and since[:-1] < at[:-1]):
                raise Unjudged("receipt under a key that was declared compromised, and nothing else older proves it")

    def content(self, line, item):
        self.same(line["file"], item["sha256"], "not the document received")
        need(self.files.sizes[line["file"]] == item["bytes"], "not as long as the document received")

    def metadata(self, line, item):
        self.same(line["metadata_file"], item["metadata_sha256"], "not the metadata received")
        root = xml(self.files.read(line["metadata_file"]))
        deposit, fields = root.find(METADATA + "Versamento"), root.find(METADATA + "Campi")
        file = deposit.find(METADATA + "File")
        need((deposit.get("documento"), deposit.get("ricevuta"), file.get("sha256")) == (line["id"], line["receipt"], item["sha256"]),
             "of another document")
        metadata = {decoded(e.get("nome")): json.loads(e.text) for e in fields.findall(METADATA + "Campo")}
        told = (decoded(file.text), fields.get("classe"), int(fields.get("versione")), instant(deposit.get("accettato")), metadata,
                item["bytes"], item["sha256"], item["media_type"])
        shown = tuple(line[n] for n in ("name", "class", "class_version", "accepted_at", "metadata", "bytes", "sha256", "media_type"))
        if told != shown:
            self.bad("report.json", "%s: not what its files say" % line["id"])

    def revocation(self, line):
        for name in (source for told in line.get("revocation", []) for source in told.get("sources", [])):
            if re.fullmatch(r"[0-9a-f]{64}\.(crl|ocsp)", name):
                place = "%strust/%s" % (self.folder(line), name)
                sealed = [f["sha256"] for f in self.entries.get(line["entry"], {"files": []})["files"] if f["name"] == "trust/" + name]
                need(sealed == [self.hash(place).hex()] == [name[:64]], place + ": not the revocation data that were sealed")

    def document_evidence(self, line):
        parts = members(line)
        if not all(part in self.digests for part in parts):
            self.used.add(line["evidence"])
            return None  # the missing part has its own finding
        return self.record(line["evidence"], lambda algorithm: [self.hash(part, algorithm) for part in parts], self.entries.get(line["entry"]))

    def record(self, place, hashes, entry):
        """Since when a record proves its files, and the times of all its tokens; it has to lead through the package's roots."""
        stamps = evidence(self.small(place), hashes)
        self.attempt(place, self.leads_through, stamps[0][3], entry)
        return self.times([stamp[:3] for stamp in stamps])

    def leads_through(self, nodes, entry):
        need(entry, "the chain entry it should lead to was not proved")
        need(bytes.fromhex(entry["ers_root"]) in nodes, "the hash tree is not that of the package in the chain")
        need("run_root" not in entry or nodes[-1].hex() == entry["run_root"], "the time-stamp is not that of the package in the chain")

    def signature(self, place, over, since, agents=None, told=None):
        """A signature, judged at the time of the package's token; of the index, by somebody who may sign it."""
        before = len(self.findings)
        if place in self.digests and over in self.digests:
            certificate = self.attempt(place, self.signed, place, over, since)
            if certificate and agents is not None and not any(may_sign(agent, subject_of(certificate)) for agent in agents):
                self.bad(place, "signed by somebody whom the index does not name as a signer")
            if certificate and told and told["certificate_sha256"] != sha256(certificate).hex():
                self.bad("report.json", "%s: signed by somebody else than the report says" % place)
            self.judge.signatures.append({"file": place, "outcome": self.outcome(self.findings[before:])})

    def report_signature(self):
        """A signature of the report itself, judged when the report says to have been made: it cannot be on its own list, which is why
        the report says whether there is one."""
        before, place, by = len(self.findings), "report.json.p7s", self.report.get("signed_by")
        if (by is not None) != (place in self.files.sizes):
            self.bad(place, "missing, or nobody's: the report says whether it is signed")
        if by is None or place not in self.files.sizes:
            return
        certificate = self.attempt(place, self.signed, place, "report.json", self.report["made_at"])
        if certificate and by["certificate_sha256"] != sha256(certificate).hex():
            self.bad(place, "signed by somebody else than the report says")
        self.judge.signatures.append({"file": place, "outcome": self.outcome(self.findings[before:])})

    def signed(self, place, over, since):
        if since is None:
            raise Unjudged("no time-stamp says when the signature was there")
        time = calendar.timegm(tuple(int(part) for part in re.split("[-T:.Z]", since)[:6]))
        return self.judge.signer(self.small(place), self.files.read(over, INDEX), time)

    def authorised(self, place):
        agents, local = [], lambda e: e.tag.rpartition("}")[2]
        for element in xml(self.files.read(place, INDEX)).iter():
            if local(element) == "AuthorizedSigner":
                text = {local(e): (e.text or "").strip() for e in element.iter()}
                agents.append((text.get("AgentID"), text.get("FirstName"), text.get("LastName"), text.get("FormalName")))
        return agents

    # Whole packages.

    def package(self, package):
        folder, entry = "packages/%s/" % package["package"], self.entries.get(package["entry"])
        need(entry, "its entry was not proved to be in the chain")
        sealed = {file["name"]: file for file in entry["files"]}
        for name in ("content.tar.zst", "toc", "PIndex.xml", "evidence/0001.ers", "evidence/0001.tree", "evidence/0001.tsr"):
            need(name in sealed, name + ": not in the chain entry")
        for name, file in sealed.items():
            self.attempt(folder + name, self.same, folder + name, file["sha256"], "not the one in the chain entry")
        self.attempt(folder + "PIndex.xml", self.index, package, folder, entry)
        group = [folder + name for name in ("PIndex.xml", "PIndex.xml.p7s") if name in sealed]
        place = folder + "evidence/%04d.ers" % (1 + len(package.get("renewals", [])))
        need(place[len(folder):] in sealed, place + ": not in the chain entry")
        since, _ = self.attempt(place, self.record, place, lambda algorithm: [self.hash(name, algorithm) for name in group], entry) or (None, [])
        if len(group) == 2:
            self.signature(group[1], group[0], since, self.attempt(group[0], self.authorised, group[0]), package.get("signature"))
        need((len(group) == 2) == ("signature" in package), "signed or not, the report says otherwise")
        self.attempt(folder + "evidence/0001.tree", self.tree, folder, entry)

    def index(self, package, folder, entry):
        """PIndex (UNI 11386:2020): every Path resolves to the file it names; its series element is the one in the chain."""
        self.same(folder + "PIndex.xml", entry["pindex"], "not the index in the chain entry")
        root, local = xml(self.files.read(folder + "PIndex.xml", INDEX)), lambda e: e.tag.rpartition("}")[2]
        series = next(root.iter(SERIES + "Serie"))
        told = tuple(series.find(SERIES + name).text for name in ("Nome", "Numero", "IndicePrecedente"))
        need(told == (entry["series"], str(entry["number"]), entry["previous"]), "of another package than the chain entry says")
        indexed, paths = set(), set()
        for element in root.iter():
            if local(element) in ("File", "ExternalMetadata"):  # PIndexSource names other packages
                children = {local(child): (child.text or "").strip() for child in element}
                path = children["Path"]
                need(path not in paths and not path.startswith("/") and ".." not in path.split("/"), "a Path that is not plain, or stands twice")
                paths.add(path)
                self.attempt(folder + path, self.same, folder + path, children["Hash"], "not the file that the index lists")
                if path.startswith("documents/"):
                    indexed.add(path[10:].split(".")[0])
        reported = {line["id"] for line in self.report["documents"] if line["package"] == package["package"]}
        need(indexed == reported and len(indexed) == entry["documents"], "other documents than report and chain entry name")

    def tree(self, folder, entry):
        """The file of hashes: its groups lead to the package's root, its siblings to the root of the run, which the token covers."""
        data = self.files.read(folder + "evidence/0001.tree", REPORT)
        need(data[:9] == b"CUSTERS1\x00" and data[9:10] in (b"\x01", b"\x02", b"\x03"), "not an evidence tree of groups")
        algorithm, size = {1: ("sha256", 32), 2: ("sha384", 48), 3: ("sha512", 64)}[data[9]]
        at, level = 14, []
        for _ in range(int.from_bytes(data[10:14], "little")):
            count = data[at + 16]
            hashes = [data[at + 17 + size * n:at + 17 + size * (n + 1)] for n in range(count)]
            need(count and len(hashes[-1]) == size, "cut short")
            level.append(hashes[0] if count == 1 else combine(algorithm, hashes))
            at += 17 + size * count
        need(level == sorted(level), "groups out of order")
        while len(level) > 1:
            level = [combine(algorithm, level[n:n + 2]) if n + 1 < len(level) else level[n] for n in range(0, len(level), 2)]
            need(data[at:at + 4] == len(level).to_bytes(4, "little") and data[at + 4:at + 4 + size * len(level)] == b"".join(level), "a node is wrong")
            at += 4 + size * len(level)
        need(level[0].hex() == entry["ers_root"], "not the tree of the chain entry")
        root, count = level[0], data[at]
        for n in range(count):
            root = combine(algorithm, [root, data[at + 1 + size * n:at + 1 + size * (n + 1)]])
        need(data[at + 1 + size * count:] == root, "the root of the run is wrong")
        self.judge.time(algorithm, root, der(one(self.files.read(folder + "evidence/0001.tsr")))[1][2])


def main(arguments):
    bundle, trust, key, witnesses, as_json, token = None, None, None, [], False, None
    arguments = list(arguments)
    try:
        while arguments:
            argument = arguments.pop(0)
            if argument == "--trust":
                with open(arguments.pop(0), "rb") as file:
                    trust = (trust or b"") + file.read() + b"\n"
            elif argument in ("--key", "--witness"):
                vkey = arguments.pop(0)
                if "+" not in vkey or os.path.isfile(vkey):
                    with open(vkey) as file:
                        vkey = file.read(4096)
                if argument == "--key":
                    key = parse_vkey(vkey)
                else:
                    witnesses.append(parse_vkey(vkey, 4))
            elif argument == "--json":
                as_json = True
            elif argument == "--token":
                token = arguments.pop(0), arguments.pop(0)
            else:
                need(bundle is None and not argument.startswith("-"), "not understood: " + argument)
                bundle = argument
    except (ValueError, IndexError, OSError) as error:
        print(error, __doc__, sep="\n\n", file=sys.stderr)
        return 2
    bundle = bundle or "."
    try:
        if token:
            files = Files(bundle, lambda place, message: None)
            line = next(d for d in json.loads(files.read("report.json", REPORT))["documents"] if d["id"] == token[0])
            parts = members(line)
            algorithm, root, der_token, _ = evidence(files.read(line["evidence"]), lambda a: [files.digest(part, a) for part in parts])[0]
            with open(token[1], "wb") as file:
                file.write(der_token)
            print(root.hex(), int(token_info(der_token)[2]))
            return 0
        run = Run(bundle, trust, key, witnesses)
    except (NoBundle, ValueError, LookupError, TypeError, AttributeError, StopIteration, RecursionError) as error:  # a report of other fields
        print("BAD / NON INTEGRO: no bundle / non è un pacchetto: %s" % error, file=sys.stderr)
        return 1
    except OSError as error:
        print("cannot be read / non leggibile: %s" % error, file=sys.stderr)
        return 2
    outcome = run.outcome()
    if as_json:
        findings = [dict(zip(("outcome", "place", "message"), finding)) for finding in run.findings]
        changes = [{"entry": seq, "at": at, "reason": reason} for seq, _, at, reason in run.keys[1:]]
        packages = [p["package"] for p in run.report["packages"] if p["whole"]]
        print(json.dumps({"outcome": outcome, "bundle": run.report["bundle"], "archive": run.archive, "trial": run.report["trial"],
                          "made_at": run.report["made_at"], "files": len(run.digests), "documents": run.documents,
                          "packages": packages, "signatures": run.judge.signatures, "witnesses": run.witnesses, "changes": changes, "stamps": run.stamps,
                          "not_judged": NOT_JUDGED, "findings": findings}, indent=1))
    else:
        print({"good": "VERIFIED / VERIFICATO", "bad": "BAD / NON INTEGRO"}.get(outcome, "NOT FULLY VERIFIED / NON DEL TUTTO VERIFICATO"))
        for document in run.documents:
            print(" ", document["id"], "existed at the latest at / esisteva al più tardi il", document["exists_since"] or "?", ascii(document["name"]))
        for signature in run.judge.signatures:
            print(" ", signature["file"], "signature / firma:", signature["outcome"])
        for _, _, at, reason in run.keys[1:]:
            why = {"compromised": "previous key compromised / chiave precedente compromessa"}.get(reason, "routine / cambio programmato")
            print("  the archive's key was changed on / la chiave dell'archivio è cambiata il", at, why)
        for witness in run.witnesses:
            print("  chain seen by the witness / catena vista dal testimone", witness["witness"], witness["at"])
        for stamp in run.stamps:
            print("  the chain had %d entries at the latest at / la catena aveva %d voci al più tardi il %s" % (stamp["size"], stamp["size"], stamp["at"]))
        for found, place, message in run.findings:
            print(" ", found.upper(), place, message)
        print("  not judged, they only tell / non giudicati, raccontano soltanto:", ", ".join(NOT_JUDGED))
    return {"good": 0, "bad": 1}.get(outcome, 2)


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    try:
        status = main(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read it has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 2
    sys.exit(status)
