"""Rule 7: a control-plane crash never ends a healthy job. Exchange, agent and client are each
killed with SIGKILL at many moments of running jobs and started again within the grace; logs, exit
codes and money are right afterwards."""
import threading
import time
import unittest

from harness import (Failed, Market, counting_job, expected_lines, main, seeded, wait_until)

# Moments after the order left, in seconds: matched, staging, running, ending, collecting.
MOMENTS = [0.0, 0.03, 0.07, 0.12, 0.2, 0.35, 0.6, 1.0, 1.5, 2.0, 2.6, 3.2]
LINES = 25


class Rule7(unittest.TestCase):
    def check_job(self, market, client, name, code=7):
        """The client saw every line once, in order, and the job's own exit code."""
        self.assertEqual(client.wait(), code, client.said())
        self.assertEqual(client.lines(), expected_lines(LINES), client.said())
        logs = market.mizan("buyer", "logs", name)
        self.assertEqual(logs.stdout.splitlines(), expected_lines(LINES))
        lease = next(job["lease"] for job in market.json("buyer", "ps", "--all")["jobs"]
                     if job["name"] == name)
        self.assertEqual((lease["state"], lease["reason"], lease["exitCode"]),
                         ("settled", "failed", code), lease)  # a code but 0
        self.assertLessEqual(lease["coveredMs"], 60_000)
        return lease

    def kill_at_each_moment(self, kill_and_start):
        """One job a moment; the victim dies that long after the order and comes back."""
        random = seeded(self.id())
        with Market() as market:
            for number, moment in enumerate(MOMENTS):
                moment += random.uniform(0, 0.03)
                with self.subTest(moment=moment):
                    name = f"job{number}"
                    job = counting_job(market, name, lines=LINES)
                    client = market.start_run(job, "--grace", "60", name=name)
                    wait_until(lambda: "order 0x" in client.said(), "the order is out")
                    time.sleep(moment)
                    kill_and_start(market)
                    self.check_job(market, client, name)
            market.check_money(self)
            market.check_replay(self)

    def test_exchange_killed(self):
        def victim(market):
            market.exchange.kill()
            market.start_exchange()
        self.kill_at_each_moment(victim)

    def test_agent_killed(self):
        def victim(market):
            market.agent.kill()
            market.start_agent(wait=False)
        self.kill_at_each_moment(victim)

    def test_both_killed_again_and_again(self):
        random = seeded(self.id())
        with Market() as market:
            job = counting_job(market, "job", lines=150)
            client = market.start_run(job, "--grace", "60")
            wait_until(lambda: client.lines(), "the first line")
            for _ in range(5):
                victims = [market.exchange, market.agent]
                random.shuffle(victims)
                for victim in victims:
                    time.sleep(random.uniform(0, 0.5))
                    victim.kill()
                market.start_exchange()
                market.start_agent(wait=False)
            self.assertEqual(client.wait(), 7, client.said())
            self.assertEqual(client.lines(), expected_lines(150))
            market.check_money(self)
            market.check_replay(self)

    def test_client_killed(self):
        """`mizan run`, killed at any moment and given again, finds the order that it had made."""
        random = seeded(self.id())
        moments = [0.002, 0.01, 0.02, 0.03, 0.045, 0.06, 0.08, 0.1, 0.15, 0.3, 0.8, 1.5, 2.2]
        with Market() as market:
            unfinished = []

            def one(number, moment):
                name = f"job{number}"
                job = counting_job(market, name, lines=LINES)
                client = market.start_run(job, "--grace", "60", name=name)
                time.sleep(moment)
                client.process.kill()
                client.process.wait()
                client.start()
                try:
                    self.check_job(market, client, name)
                except (AssertionError, Failed) as error:
                    unfinished.append(f"killed after {moment} s: {error}")

            # Two at a time: as many as the machine has cores for.
            todo = [(i, m + random.uniform(0, 0.005)) for i, m in enumerate(moments)]
            for first in range(0, len(todo), 2):
                pair = [threading.Thread(target=one, args=args) for args in todo[first:first + 2]]
                for thread in pair:
                    thread.start()
                for thread in pair:
                    thread.join()
            self.assertEqual(unfinished, [])
            # A killed and repeated `run` is one order: as many leases as jobs.
            self.assertEqual(len(market.leases()), len(moments))
            market.check_money(self)
            market.check_replay(self)


if __name__ == "__main__":
    main()
