"""The buyer's own client as the meter: it signs for the time that heartbeats cover; killed, it takes
up again where it was; and without it the provider stops, and is paid what was signed."""
import unittest

from harness import Market, counting_job, expected_lines, main, wait_until

GRACE_S = 10


class SelfMeter(unittest.TestCase):
    def start(self, market, name, **job):
        path = counting_job(market, name, pause=0.2, code=0, **job)
        client = market.start_run(path, "--meter", "self", "--grace", GRACE_S, name=name)
        wait_until(lambda: len(client.lines()) >= 8, "eight lines")
        return client

    def lease(self, market, name):
        return next(job["lease"] for job in market.json("buyer", "ps", "--all")["jobs"]
                    if job["name"] == name)

    def over(self, market, name):
        lease = self.lease(market, name)
        return lease if lease["state"] in ("settled", "failed") else None

    def check_paid(self, market, name, lease):
        self.assertEqual(int(lease["charged"]), int(lease["rate"]) * lease["secondsBilled"], lease)
        self.assertEqual(lease["charged"], lease["vouchered"])
        self.assertNotEqual(lease["terms"]["meter"], market.get("/v1/exchange")[1]["meter"])
        market.mizan("buyer", "receipt", name, "--out", f"{name}.json")
        self.assertIn("The receipt is valid.",
                      market.mizan("buyer", "receipt", "verify", f"{name}.json").stdout)
        market.check_money(self)

    def test_all(self):
        with Market() as market:
            self.whole(market)
            self.taken_up_again(market)
            self.alone(market)
            market.check_replay(self)

    def whole(self, market):
        refused = market.mizan("buyer", "run", "-y", "-d", "--meter", "self", "--", "true",
                               check=False)
        self.assertIn("--detach", refused.stderr)
        client = self.start(market, "whole", lines=20)
        self.assertEqual(client.wait(), 0, client.said())
        self.assertEqual(client.lines(), expected_lines(20))
        lease = self.lease(market, "whole")
        self.assertEqual(lease["state"], "settled")
        self.assertGreaterEqual(lease["secondsBilled"], 4)
        self.check_paid(market, "whole", lease)

    def taken_up_again(self, market):
        client = self.start(market, "back", lines=60)
        client.process.kill()
        client.process.wait()
        covered = lambda: self.lease(market, "back")["coveredMs"]
        killed = covered()
        wait_until(lambda: covered() >= killed + 3000, "3 s are worked and nobody signs")
        before = int(self.lease(market, "back")["vouchered"])
        client.start()
        wait_until(lambda: int(self.lease(market, "back")["vouchered"]) > before, "more is signed")
        self.assertEqual(client.wait(), 0, client.said())
        self.assertEqual(client.lines(), expected_lines(60))
        lease = self.lease(market, "back")
        self.assertGreaterEqual(lease["secondsBilled"], 12)
        self.check_paid(market, "back", lease)

    def alone(self, market):
        client = self.start(market, "alone", lines=1000)
        wait_until(lambda: int(self.lease(market, "alone")["vouchered"]) > 0, "a voucher")
        client.process.kill()
        client.process.wait()
        signed = self.lease(market, "alone")
        lease = wait_until(lambda: self.over(market, "alone"), "the provider gives up")
        self.assertEqual(lease["reason"], "agent_late", lease)
        self.assertEqual(lease["vouchered"], signed["vouchered"])
        self.assertGreater(lease["coveredMs"], 1000 * (lease["secondsBilled"] + GRACE_S - 2))
        self.check_paid(market, "alone", lease)


if __name__ == "__main__":
    main()
