"""The exchange settles on a chain: killed while leases open and close, its node killed, the chain
turned under an open lease, and the demo. Both ledgers are equal in the end. Needs anvil, which
contracts/tools/install.sh brings."""
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from evm_market import ANVIL, DEPTH, EvmMarket
from harness import BINARY, REPOSITORY, counting_job, expected_lines, main, wait_until

ZERO = "0x" + "0" * 64


@unittest.skipUnless(ANVIL.exists(), f"{ANVIL} is not installed")
class Evm(unittest.TestCase):
    def finish(self, market, client, lines):
        self.assertEqual(client.wait(), 7, client.said())
        self.assertEqual(client.lines(), expected_lines(lines))

    def newest(self, market):
        return market.leases()[0]

    def check_refusals(self, market):
        """What a new exchange is told of a chain that is not its own."""
        def refused(what, chain_id=31337, contract=market.contract, node=market.node_url, more=""):
            config = market.folder / "other.yaml"
            config.write_text(
                f"listen: 127.0.0.1:0\nstate_dir: {market.folder}/other\noperator: "
                f"\"{market.addresses['operator']}\"\nsettlement: evm\nchain: {{node: \"{node}\", "
                f"chain_id: {chain_id}, contract: \"{contract}\"}}\n{more}")
            done = market.run([BINARY, "exchange", "--config", config], check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(what, done.stderr)
        refused("it takes clearances of")
        refused("serves chain 31337 and not 5", chain_id=5)
        refused("no contract at", contract=market.addresses["buyer"])

    def test_exchange_and_node_killed(self):
        with EvmMarket() as market:
            self.check_refusals(market)
            about = market.get("/v1/exchange")[1]
            self.assertEqual(about["settlement"], "evm")
            self.assertEqual(about["domain"], {"name": "Mizan", "version": "1", "chainId": 31337,
                                               "verifyingContract": market.contract})
            job = counting_job(market, "count", lines=5)
            # Blocks stand still, so that the opening stays where it is while the exchange dies.
            market.rpc("evm_setIntervalMining", 0)
            client = market.start_run(job)
            wait_until(lambda: market.lease_states() == ["opening"], "an opening")
            wait_until(lambda: "its opening waits for a block" in
                       market.mizan("buyer", "ps").stdout, "how far it is")
            market.exchange.kill()
            market.start_exchange()
            self.assertEqual(market.lease_states(), ["opening"])
            market.begin_blocks()
            wait_until(lambda: client.lines()[:1] == ["line 1"], "output")
            # The same with the end: the voucher is signed, the contract has not heard of it.
            market.rpc("evm_setIntervalMining", 0)
            wait_until(lambda: self.newest(market)["phase"] >= 4, "the job's end")
            wait_until(lambda: int(market.rpc("eth_getTransactionCount", market.gas_account, "pending"), 16) == 2,
                       "a close that waits for a block")
            market.exchange.kill()
            market.start_exchange()
            self.assertNotIn(self.newest(market)["state"], ("settled", "failed"))
            market.begin_blocks()
            self.finish(market, client, 5)
            receipt = market.json("buyer", "receipt", "--out", market.folder / "receipt.json")
            self.assertEqual(receipt["exchange"]["domain"], about["domain"])
            self.assertTrue(market.json("buyer", "receipt", "verify",
                                        market.folder / "receipt.json")["valid"])

            # The node goes away under a running lease that its buyer meters, and comes back as it was.
            client = market.start_run(counting_job(market, "away", lines=10), "--meter", "self")
            wait_until(lambda: client.lines()[:1] == ["line 1"], "output")
            market.node.terminate()
            wait_until(lambda: market.get("/v1/health")[1]["chain"]["trouble"], "the trouble is told")
            market.start_node()
            market.begin_blocks()
            self.finish(market, client, 10)
            self.assertEqual(market.get("/v1/health")[1]["chain"]["trouble"], "")
            self.assertEqual(int(market.rpc("eth_getTransactionCount", market.gas_account, "latest"), 16), 4)
            self.check_gas(market)
            self.check_withdrawn_before_opening(market)
            self.check_too_small_a_deposit(market)
            market.check_money(self)
            market.check_chain(self)
            market.check_replay(self)

    def check_new_key(self, market):
        """Another clearance key in the place of one that may be stolen: here, and at the contract."""
        def keys(step):
            return market.chain("operator", "exchange", "--state-dir", market.exchange_state, "--operator",
                                market.addresses["operator"], step)["clearance"]
        address = keys("--new-clearance-key")
        market.exchange.terminate()
        self.assertEqual(keys("--use-new-clearance-key"), address)
        market.start_exchange()
        self.assertIn("clearance_key", market.exchange.text())
        self.assertEqual(market.get("/v1/exchange")[1]["clearance"].lower(), address.lower())
        wait_until(lambda: market.get("/v1/offers")[1]["offers"], "an offer")
        job = counting_job(market, "cleared", lines=3)
        client = market.start_run(job)
        self.assertNotEqual(client.wait(), 0)
        self.assertIn("clearance key is another one", client.said())
        market.chain("operator", "contract", "revoke-clearance-key")
        market.chain("operator", "contract", "propose-clearance-key", address)
        market.rpc("evm_increaseTime", 48 * 3600)
        market.mine()
        market.chain("operator", "contract", "accept-clearance-key")
        seen = market.get("/v1/health")[1]["chain"]["block"]
        wait_until(lambda: market.get("/v1/health")[1]["chain"]["block"] > seen + 2, "it is seen")
        # Matched again; by the chain's clock, which is days ahead here, the lease is over already.
        before = self.newest(market)["lease"]
        client = market.start_run(job)
        client.wait()
        self.assertIn("did not open the lease", client.said())
        self.assertNotEqual(self.newest(market)["lease"], before)

    def check_kept(self, market):
        """Both parties have by themselves what they need to leave the lease at the contract."""
        lease = self.newest(market)
        kept = max(market.home("buyer").glob("jobs/*/lease.json"), key=lambda path: path.stat().st_mtime)
        record = pathlib.Path(market.folder) / "agent" / "agent" / f"lease-{lease['lease'][2:]}"
        for file in (kept, record):
            told = market.chain("buyer", "lease", "show", file)
            self.assertEqual((told["lease"], told["state"]), (lease["lease"], "open"))

    def check_gas(self, market):
        """Where the gas account is empty nothing new opens, and everybody is told."""
        def trouble():
            return market.get("/v1/health")[1]["chain"]["trouble"]
        market.rpc("anvil_setBalance", market.gas_account, "0x1")
        wait_until(lambda: "send it the chain's coin" in trouble(), "the trouble is told")
        client = market.start_run(counting_job(market, "dear", lines=3))
        self.assertNotEqual(client.wait(), 0)
        self.assertIn("gas account is too low", client.said())
        market.give_ether(market.gas_account)
        wait_until(lambda: trouble() == "", "there is gas again")
        self.assertGreater(int(market.get("/v1/health")[1]["chain"]["gasWei"]), 10**15)
        self.finish(market, market.start_run(counting_job(market, "paid", lines=3)), 3)

    def check_withdrawn_before_opening(self, market):
        """The buyer takes its money out, orders before the exchange sees that, and gets nothing."""
        market.rpc("evm_setIntervalMining", 0)
        nonce = int(market.rpc("eth_getTransactionCount", market.addresses["buyer"], "latest"), 16)
        money = f"{market.account('buyer')['balance'] / 10**9:.6f}"
        withdrawal = subprocess.Popen(
            [*market.command("buyer", exchange=False), "account", "withdraw", money],
            stdout=subprocess.DEVNULL)
        wait_until(lambda: int(market.rpc("eth_getTransactionCount", market.addresses["buyer"],
                                          "pending"), 16) > nonce, "a withdrawal that waits")
        market.mine()
        self.assertEqual(withdrawal.wait(60), 0)
        market.granted -= round(float(money) * 10**9)
        client = market.start_run(counting_job(market, "unpaid", lines=3))
        self.assertNotEqual(client.wait(), 0)
        self.assertIn("did not open the lease", client.said())
        self.assertEqual(client.lines(), [])
        self.assertEqual(self.newest(market)["reason"], "insufficient_balance")
        market.begin_blocks()
        wait_until(lambda: market.account("buyer")["balance"] == 0, "the withdrawal is seen")

    def check_too_small_a_deposit(self, market):
        """What is missing, and the command that brings it: that very sum is enough."""
        job = counting_job(market, "short", lines=3)

        def missing():
            client = market.start_run(job)
            self.assertNotEqual(client.wait(), 0)
            told = re.findall(r"short of \$([\d.]+): `mizan account deposit ([\d.]+)` brings it",
                              client.said())
            self.assertTrue(told, client.said())
            self.assertEqual(client.lines(), [])
            self.assertGreaterEqual(float(told[-1][1]), float(told[-1][0]))
            return float(told[-1][1])

        def deposit(usd):
            before = market.account("buyer")["balance"]
            market.fund("buyer", f"{usd:.6f}")
            wait_until(lambda: market.account("buyer")["balance"] == before + round(usd * 10**9),
                       "the deposit is seen")

        self.assertEqual(market.account("buyer")["balance"], 0)
        all_of_it = missing()
        part = round(all_of_it / 3, 6)
        deposit(part)
        rest = missing()
        self.assertAlmostEqual(part + rest, all_of_it, places=6)
        deposit(rest)
        self.finish(market, market.start_run(job), 3)

    def test_chain_turns_under_an_open_lease(self):
        with EvmMarket() as market:
            job = counting_job(market, "long", lines=30)
            client = market.start_run(job)
            wait_until(lambda: client.lines()[:1] == ["line 1"], "output")
            lease = self.newest(market)["lease"]
            # All blocks since the lease opened are replaced by others, in which it did not open.
            market.rpc("evm_setIntervalMining", 0)
            market.rpc("anvil_reorg", market.blocks_since_opened(lease), [])
            market.begin_blocks()
            wait_until(lambda: market.opened_blocks(lease), "the lease opens again")
            self.finish(market, client, 30)
            self.assertIn("chain_turned", market.exchange.text())
            self.assertEqual(self.newest(market)["lease"], lease)
            self.assertEqual(self.newest(market)["state"], "settled")

            # The buyer stops a job: its word goes to the contract too, and the lease is closed there.
            client = market.start_run(counting_job(market, "stopped", lines=3000))
            wait_until(lambda: client.lines()[:1] == ["line 1"], "output")
            self.check_kept(market)
            market.mizan("buyer", "stop", "stopped")
            client.wait()
            self.assertEqual(self.newest(market)["reason"], "buyer_stopped")

            # A provider that was lost comes back: by its word the contract ends the lease at once.
            client = market.start_run("--grace", 10, counting_job(market, "late", lines=3000))
            wait_until(lambda: client.lines()[:1] == ["line 1"], "output")
            market.agent.kill()
            wait_until(lambda: self.newest(market)["reason"] == "provider_lost", "the provider is lost")
            wait_until(lambda: "the contract is told" in client.said(), "the buyer's word")
            market.start_agent(wait=False)
            wait_until(lambda: self.newest(market)["state"] == "failed", "the end by the agent's word")
            client.wait()
            self.assertEqual(self.newest(market)["reason"], "provider_lost")

            # The provider is lost: the contract pays what was vouchered, and after its delay the rest
            # comes back.
            client = market.start_run("--grace", 10, counting_job(market, "lost", lines=3000))
            wait_until(lambda: int(self.newest(market)["vouchered"]) > 0, "a voucher")
            market.agent.kill()
            wait_until(lambda: self.newest(market)["reason"] == "provider_lost", "the provider is lost")
            market.rpc("evm_increaseTime", 100_000)
            wait_until(lambda: self.newest(market)["state"] == "failed", "the end after the delay")
            client.wait()
            self.assertGreater(int(self.newest(market)["paid"]), 0)
            market.start_agent(wait=False)
            self.check_new_key(market)
            market.check_money(self)
            market.check_chain(self)
            market.check_replay(self)

    def test_demo(self):
        with tempfile.TemporaryDirectory(prefix="mizan-e2e-") as folder:
            example = pathlib.Path(folder) / "train-lm"
            shutil.copytree(REPOSITORY / "examples" / "train-lm", example)
            text = (example / "job.yaml").read_text()
            (example / "job.yaml").write_text(text.replace("train.py ", "train.py --steps 20 "))
            summary = pathlib.Path(folder) / "summary.json"
            done = subprocess.run([BINARY, "demo", "--settlement", "evm", "--summary", summary,
                                   "--example", example], cwd=REPOSITORY, capture_output=True,
                                  text=True, check=False, timeout=300, stdin=subprocess.DEVNULL)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            found = json.loads(summary.read_text())
            self.assertEqual(found["steps"], 20)
            self.assertTrue(found["conserved"] and found["onchain_conserved"])
            self.assertTrue(found["replay_hash_equal"])
            self.assertEqual(found["charged_nano"], found["earned_nano"] + found["fee_nano"])
            self.assertEqual(found["escrow_nano"], found["charged_nano"] + found["refunded_nano"])
            self.assertGreater(found["open_gas"], 40_000)
            self.assertGreater(found["close_gas"], 40_000)
            self.assertLess(found["open_gas"] + found["close_gas"], 250_000)
            self.assertEqual(found["tx_count"], 2)
            self.assertRegex(done.stdout, re.compile("contract's are the exchange's"))


if __name__ == "__main__":
    main()
