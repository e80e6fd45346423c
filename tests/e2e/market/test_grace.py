"""Past the grace: a provider that was away too long checkpoints and stops the job on its return,
an agent that hears nothing from its exchange does the same, and the bill says so."""
import time
import unittest

from harness import Market, main, wait_until

GRACE_S = 10

JOB = """name: patient
resources: {cpus: 1, memory: 1, disk_size: 1}
max_duration: 10m
checkpoint: {path: /checkpoints, every: 10m, signal: USR1}
outputs: [/checkpoints]
run: |
  mkdir -p /checkpoints
  i=0
  trap 'echo $i > /checkpoints/last; echo checkpointed at $i' USR1
  while :; do i=$((i+1)); echo "line $i"; sleep 0.2; done
"""


class PastTheGrace(unittest.TestCase):
    def start(self, market):
        job = market.folder / "patient.yaml"
        job.write_text(JOB)
        client = market.start_run(job, "--grace", str(GRACE_S), "--outputs",
                                  market.folder / "saved")
        wait_until(lambda: len(client.lines()) >= 5, "five lines")
        return client

    def lease_is_over(self, market):
        lease = market.leases()[0]
        return lease if lease["state"] in ("settled", "failed") else None

    def check_bill(self, market, lease, ran_s):
        self.assertLessEqual(lease["secondsBilled"], ran_s + 1, lease)
        market.check_money(self)

    def test_agent_away(self):
        with Market() as market:
            began = time.monotonic()
            client = self.start(market)
            market.agent.kill()
            ran_s = time.monotonic() - began
            lease = wait_until(lambda: self.lease_is_over(market), "the exchange gives up waiting")
            self.assertEqual((lease["state"], lease["reason"]), ("failed", "provider_lost"))
            self.assertNotEqual(client.wait(), 0)
            market.start_agent(wait=False)
            wait_until(lambda: "checkpointed at" in market.mizan("buyer", "logs", "patient").stdout,
                       "the job was told to save itself")
            self.check_bill(market, lease, ran_s)
            # It is over: capacity is on offer again.
            wait_until(lambda: market.json("buyer", "offers")["offers"], "an offer again")
            market.check_replay(self)

    def test_exchange_away(self):
        with Market() as market:
            began = time.monotonic()
            client = self.start(market)
            market.exchange.kill()
            ran_s = time.monotonic() - began + GRACE_S
            log = market.folder / "agent"
            wait_until(lambda: "late" in market.agent.text() or "grace" in market.agent.text()
                       or time.monotonic() - began > ran_s + 5, "the agent's patience ends")
            self.assertTrue(log.exists())
            market.start_exchange()
            lease = wait_until(lambda: self.lease_is_over(market), "the end is told")
            self.assertEqual(lease["reason"], "agent_late", lease)
            self.assertNotEqual(client.wait(), 0)
            self.assertIn("checkpointed at", "\n".join(client.lines()))
            self.check_bill(market, lease, ran_s)
            market.check_replay(self)


if __name__ == "__main__":
    main()
