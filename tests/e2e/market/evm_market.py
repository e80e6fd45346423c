"""A market that settles on a chain: anvil, a test token, the escrow contract, and the real programs."""
import json
import os
import pathlib
import shutil
import urllib.request

from harness import REPOSITORY, Market, Program, free_port, wait_until

ANVIL = pathlib.Path(os.environ.get("MIZAN_ANVIL", REPOSITORY / "contracts/node_modules/@foundry-rs/"
                                    "anvil-linux-amd64/bin/anvil"))
NANO_A_UNIT = 1000  # the test token has six decimals
DEPTH = 1
OPENED = "0x914333e1e5c18f39a822f0cd5abc8a566f1333e0c465818202e97161f3f37285"  # keccak256("Opened(bytes32,uint256)")


class EvmMarket(Market):
    """Blocks come when `mine` or, after `begin_blocks`, time makes them."""

    pays_fees = True

    def __init__(self, *, deposit="10", exchange_config="", **options):
        self.node_port = free_port()
        self.node_url = f"http://127.0.0.1:{self.node_port}"
        self.node = None
        try:
            super().__init__(grant=None, provider=False, exchange_config=exchange_config, **options)
            self.fund("buyer", deposit)
            self.begin_blocks()
            self.start_agent()
        except BaseException:
            self.close()
            raise

    def prepare(self):
        """The chain and the contract, which come before the exchange; its configuration of them."""
        self.node = Program("anvil", [str(ANVIL), "--port", str(self.node_port), "--state",
                                      str(self.folder / "chain-state.json"), "--silent"], self.folder)
        self.start_node()
        keys = json.loads(self.run([*self.command("operator", exchange=False), "--json", "exchange",
                                    "--keys", "--state-dir", str(self.exchange_state), "--operator",
                                    self.addresses["operator"]]).stdout)
        self.gas_account = keys["gas"]
        for account in (self.gas_account, self.addresses["operator"]):
            self.give_ether(account)
        made = self.chain("operator", "contract", "deploy", "--node", self.node_url, "--chain-id",
                          31337, "--test-token", "--clearance", keys["clearance"], "--depth", 0)
        self.contract = made["contract"]
        return (f"settlement: evm\nchain:\n  node: {self.node_url}\n  chain_id: 31337\n"
                f"  contract: \"{self.contract}\"\n  depth: {DEPTH}\n")

    def start_node(self):
        self.node.start()
        wait_until(self.node_answers, "a node")

    def node_answers(self):
        try:
            return self.rpc("eth_chainId")
        except OSError:
            return None

    def rpc(self, method, *params):
        request = urllib.request.Request(self.node_url, headers={"Content-Type": "application/json"},
                                         data=json.dumps({"jsonrpc": "2.0", "id": 1, "method": method,
                                                          "params": params}).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            found = json.loads(answer.read())
        assert "error" not in found, found
        return found["result"]

    def mine(self, blocks=1):
        self.rpc("anvil_mine", hex(blocks))

    def begin_blocks(self, seconds=1):
        self.rpc("evm_setAutomine", False)
        self.rpc("evm_setIntervalMining", seconds)

    def head(self):
        return int(self.rpc("eth_blockNumber"), 16)

    def give_ether(self, account):
        self.rpc("anvil_setBalance", account, hex(10**19))

    def chain(self, party, *args):
        """A command that needs the chain and no exchange."""
        done = self.run([*self.command(party, exchange=False), "--json", *map(str, args)])
        return json.loads(done.stdout)

    def fund(self, party, usd):
        self.give_ether(self.addresses[party])
        shutil.copy(self.home("operator") / "chain.json", self.home(party) / "chain.json")
        self.chain(party, "account", "mint", usd)
        self.chain(party, "account", "deposit", usd)
        self.mine(DEPTH + 1)
        self.granted += round(float(usd) * 10**9)
        wait_until(lambda: self.account(party)["balance"] > 0, f"the deposit of {party}")

    def balances(self):
        """Of each party: what the exchange says, and what the contract says."""
        for party in ("buyer", "provider"):
            if not (self.home(party) / "chain.json").exists():
                shutil.copy(self.home("operator") / "chain.json", self.home(party) / "chain.json")
        parties = ("buyer", "provider", "operator")
        return ({party: self.account(party)["balance"] for party in parties},
                {party: int(self.chain(party, "account", "chain")["balance"]) * NANO_A_UNIT
                 for party in parties})

    def check_chain(self, case):
        """Both ledgers are equal, all leases are over on both, and all money is there."""
        wait_until(lambda: len(set(map(str, self.balances()))) == 1, "both ledgers to be equal")
        ours, theirs = self.balances()
        case.assertEqual(ours, theirs)
        case.assertEqual(sum(theirs.values()), self.granted)
        audit = self.chain("operator", "audit")
        case.assertTrue(audit["solvent"], audit)
        case.assertEqual((audit["openLeases"], audit["escrow"]), (0, "0"), audit)
        case.assertEqual(int(audit["held"]) * NANO_A_UNIT, self.granted)

    def opened_blocks(self, lease):
        """Of the blocks in which the contract says that the lease opened."""
        logs = self.rpc("eth_getLogs", {"address": self.contract, "fromBlock": "0x0",
                                        "toBlock": "latest", "topics": [OPENED, lease]})
        return [int(log["blockNumber"], 16) for log in logs]

    def blocks_since_opened(self, lease):
        return self.head() - self.opened_blocks(lease)[-1] + 1

    def lease_states(self):
        return [lease["state"] for lease in self.leases()]

    def close(self):
        super().close()
        if self.node:
            self.node.terminate()
