"""Names, dates of birth and documents never reach the exchange's disk, logs, receipts or answers."""
import json
import unittest

from harness import main, wait_until
from policy_market import INFERENCE, TRAINING, PolicyMarket, claims, spellings

# In the credential, and never shown.
HIDDEN = {"name": "Zubeida Qadir-Plantagenet", "birth_date": "1913-07-29",
          "document_number": "XK9938127QZ", "address": "17 Rue Imaginaire, Vaduz"}
# Shown by a careless holder, and not kept.
SHOWN = {"email": "zubeida@plantagenet.example", "phone": "+423 7394 5582 31",
         "nick_name": "La Plantureuse"}
# Shown because it must be, and not kept: where the issuer has its file.
LOCATOR = "Registratur Blatt 77-Hortensie"


class PersonalData(unittest.TestCase):
    def plant(self, market, party, **more):
        said = claims(party, **{**HIDDEN, **SHOWN, "record_locator": LOCATOR, **more})
        names = [name for name in said if name not in HIDDEN]
        return market.json(party, "credential", "submit", market.credential(party, said), "--show",
                           ",".join(names))

    def test_nothing_of_it_is_kept(self):
        answers = []
        with PolicyMarket(proven=False, exchange_config="snapshot_every: 5\n") as market:
            def tell(party, *words):
                done = market.mizan(party, "--json", *words, check=False)
                answers.append(done.stdout + done.stderr)
                plain = market.mizan(party, *words, check=False)
                answers.append(plain.stdout + plain.stderr)
                return done.stdout

            for party, more in (("provider", {}), ("buyer", {})):
                answers.append(json.dumps(self.plant(market, party, **more)))
            market.start_agent()
            answers.append(market.mizan("buyer", "run", "-y", *TRAINING, "--", "echo", "ran").stdout)
            for party, more in (("lab", {"parent_hq": None}),
                                ("trader", {"country": "CU", "hq": "CU"})):
                market.make_party(party)
                market.grant(party, "1")
                answers.append(json.dumps(self.plant(market, party, **more)))
            held = market.start_run("--hold", *INFERENCE, "--", "true", party="lab")
            lease = wait_until(market.queue, "a held deal")[0]["lease"]["lease"]
            tell("operator", "policy", "queue")
            tell("operator", "policy", "explain", lease)
            market.mizan("operator", "policy", "approve", lease, "--reason", "looked at")
            self.assertEqual(held.wait(), 0, held.said())
            answers.append(held.said())
            tell("trader", "run", "-y", *INFERENCE, "--", "true")
            # Refused ones are not remembered either.
            bad = market.credential("trader", claims("trader", **HIDDEN, **SHOWN, country="XX"))
            tell("trader", "credential", "submit", bad, "--show", "country,email,nick_name")
            market.mizan("operator", "policy", "list-party", "--account",
                         market.addresses["trader"], "--list", "EL")
            for party in ("operator", "buyer", "provider", "lab", "trader"):
                for words in (("account",), ("ps", "--all"), ("policy", "review"), ("offers",),
                              ("join", market.url)):
                    tell(party, *words)
            for party, where in (("buyer", "buyer"), ("lab", "lab")):
                found = market.lease_of(where)["lease"]
                for viewer in (party, "provider", "operator"):
                    tell(viewer, "policy", "explain", found)
                tell(party, "receipt", found)
            for target in ("/v1/exchange", "/v1/policy", "/v1/offers", "/v1/openapi.json"):
                answers.append(json.dumps(market.get(target)[1]))
            receipts = list(market.folder.glob("*/jobs/*/receipt.json"))
            self.assertGreaterEqual(len(receipts), 2)
            market.check_replay(self)

            places = {f"answer {i}": text.encode() for i, text in enumerate(answers)}
            kept = [path for folder in (market.exchange_state, market.folder / "agent")
                    for path in folder.rglob("*") if path.is_file()]
            kept += [market.folder / "exchange.log", market.folder / "provider.log", *receipts]
            for path in kept:
                places[str(path)] = path.read_bytes()
            journal = b"".join(data for name, data in places.items() if "/journal/" in name)

            # What is to be found is found: the journal is neither packed nor empty.
            self.assertIn(b"urn:mizan:development", journal)
            self.assertIn(market.addresses["lab"].lower()[2:],
                          journal.hex() + journal.decode("latin-1").lower())
            self.assertTrue(any("snapshot" in name for name in places), sorted(places))
            self.assertGreater(len(places["answer 0"]), 100)
            planted = (market.home("lab") / "claims.json").read_bytes()
            for text in (*HIDDEN.values(), *SHOWN.values(), LOCATOR):
                self.assertTrue(any(form in planted for form in spellings(text)), text)
            for text in (*HIDDEN.values(), *SHOWN.values(), LOCATOR):
                for form in spellings(text):
                    for name, data in places.items():
                        self.assertNotIn(form, data, f"{text} is in {name} as {form}")
            # Nor the words alone.
            for word in (b"plantagenet", b"zubeida", b"xk9938127qz", b"hortensie", b"plantureuse"):
                for name, data in places.items():
                    self.assertNotIn(word, data.lower(), name)


if __name__ == "__main__":
    main()
