"""A market under the shipped rules, with a development issuer that vouches for its parties."""
import base64
import hashlib
import json
import pathlib
import subprocess
import tempfile
import urllib.parse

from harness import BINARY, REPOSITORY, Market

RULES = REPOSITORY / "policy"
ISSUER = "urn:mizan:development"
INFERENCE = ("--declare", "end_use=commercial,end_user=self,training=false")
TRAINING = ("--declare", "end_use=commercial,end_user=self", "--declare", "training=true")


def pairwise(text):
    return "0x" + hashlib.sha256(text.encode()).hexdigest()


def claims(who, **more):
    """What an issuer says of a clean party in Singapore; None leaves a claim out."""
    said = {"country": "SG", "hq": "SG", "parent_hq": "n/a", "lists": [], "listed_owners": [],
            "person_id": pairwise("person " + who), "group_id": pairwise("group " + who),
            "record_locator": "file/" + who, "retention_days": 3650, **more}
    return {name: value for name, value in said.items() if value is not None}


def spellings(text):
    """Every form in which a text can lie in a file or a message."""
    raw = text.encode()
    yield raw
    yield text.upper().encode()
    yield text.lower().encode()
    yield text.encode("utf-16-le")
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    yield urllib.parse.quote(text).encode()
    yield json.dumps(text)[1:-1].replace("/", "\\/").encode()
    for shift in range(3):
        # The middle of it, whatever stands before and after.
        coded = base64.b64encode(b"\0" * shift + raw)
        middle = coded[4 if shift else 0:len(coded) - len(coded) % 4 - 4]
        yield middle
        yield middle.replace(b"+", b"-").replace(b"/", b"_")


class Issuer:
    def __init__(self, uri=ISSUER):
        self.uri = uri
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mizan-e2e-issuer-"))
        self.key = self.folder / "issuer.pem"
        made = subprocess.run([BINARY, "credential", "issuer", self.key], capture_output=True,
                              text=True, check=True)
        self.jwk = self.folder / "issuer.jwk.json"
        self.jwk.write_text(made.stdout)


class PolicyMarket(Market):
    """`proven`: whether provider and buyer are given credentials and the agent is started."""

    def __init__(self, *, proven=True, exchange_config="", **options):
        self.issuer = Issuer()
        super().__init__(
            provider=False, provider_config="country: SG\n",
            exchange_config=f"rules: {RULES}\ndevelopment_issuer: {self.issuer.jwk}\n"
            + exchange_config, **options)
        try:
            if proven:
                self.prove("provider")
                self.prove("buyer")
                self.start_agent()
        except BaseException:
            self.close()
            raise

    def add(self, party, grant="10", **more):
        """A party with money and a credential."""
        self.make_party(party)
        if grant:
            self.grant(party, grant)
        self.prove(party, **more)

    def credential(self, party, said, *, issuer=None, holder=None, name="credential", **flags):
        """Issues a credential about `party` to the key of `holder` (the party itself)."""
        issuer = issuer or self.issuer
        home = self.home(party)
        (home / "holder.json").write_text(
            self.mizan(holder or party, "credential", "holder").stdout)
        (home / "claims.json").write_text(json.dumps(said))
        out = home / name
        out.unlink(missing_ok=True)
        words = [word for flag, value in flags.items()
                 for word in ("--" + flag.replace("_", "-"), str(value))]
        self.run([BINARY, "credential", "issue", "--issuer-key", issuer.key, "--issuer", issuer.uri,
                  "--holder", home / "holder.json", "--claims", home / "claims.json", "--out", out,
                  *words])
        return out

    def prove(self, party, **more):
        return self.json(party, "credential", "submit",
                         self.credential(party, claims(party, **more)))["facts"]

    def refused(self, party, *words):
        """The error of a command that must fail."""
        done = self.mizan(party, "--json", *words, check=False)
        assert done.returncode != 0, done.stdout
        return json.loads(done.stdout)["error"]

    def queue(self):
        return self.json("operator", "policy", "queue")["leases"]

    def lease_of(self, party, name=None):
        jobs = self.json(party, "ps", "--all")["jobs"]
        return next(job["lease"] for job in jobs if name in (None, job["name"]))
