// The gas of docs/CONTRACT.md once more, by a client that shares no code with the tests: viem signs from
// protocol/eip712.json, anvil mines, and the receipts' gasUsed (net of refunds) is held against snapshots/Gas.json, as is the
// page's table.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  createTestClient, encodeFunctionData, hashTypedData, http, keccak256, publicActions, toHex, walletActions, zeroHash,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { foundry } from "viem/chains";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const read = (path) => JSON.parse(readFileSync(join(root, path), "utf8"));
const artifact = (name, file = name) => read(`out/${file}.sol/${name}.json`);
const { types, domain: names } = read("../protocol/eip712.json");

// The same keys as in test/Harness.sol, so that the calldata is as long and as full.
const accountOf = (base, i) => privateKeyToAccount(toHex(i === undefined ? base : base * 1000n + BigInt(i), { size: 32 }));
const BUYER = 0xb0bn, PROVIDER = 0xa11cen, METER = 0x3e7e2n, CLEARANCE = 0xc1ea2n, RELAYER = 0x2e1a7n;
const START = 1_800_000_000n, UNIT = 1_000_000n, RATE = 694_444n, MANY = 20;

function startAnvil() {
  const binary = join(root, "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil");
  const args = ["--port", "0", "--timestamp", String(START - 1000n), "--hardfork", "cancun", "--gas-limit", "60000000"];
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "inherit"] });
  process.on("exit", () => child.kill());
  return new Promise((resolve, reject) => {
    let said = "";
    child.stdout.on("data", (data) => {
      said += data;
      const found = said.match(/Listening on (\S+)/);
      if (found) resolve({ url: `http://${found[1]}`, child });
    });
    child.on("exit", () => reject(new Error(`anvil ended:\n${said}`)));
  });
}

const { url, child } = await startAnvil();
const client = createTestClient({ mode: "anvil", chain: foundry, transport: http(url) })
  .extend(publicActions)
  .extend(walletActions);
const [deployer] = await client.getAddresses();

let now = START;
async function send(request) {
  await client.setNextBlockTimestamp({ timestamp: now++ });
  const hash = await client.sendTransaction({ gas: 30_000_000n, ...request });
  const receipt = await client.waitForTransactionReceipt({ hash, pollingInterval: 20 });
  if (receipt.status !== "success") throw new Error(`reverted: ${hash}`);
  return receipt;
}
async function deploy(name, args, file) {
  const { abi, bytecode } = artifact(name, file);
  await client.setNextBlockTimestamp({ timestamp: now++ });
  const hash = await client.deployContract({ abi, bytecode: bytecode.object, args, account: deployer });
  const { contractAddress } = await client.waitForTransactionReceipt({ hash, pollingInterval: 20 });
  return { abi, address: contractAddress };
}
const asSender = async (address) => {
  await client.impersonateAccount({ address });
  await client.setBalance({ address, value: 10n ** 20n });
  return address;
};
const call = async (from, contract, functionName, args) =>
  send({ account: await asSender(from), to: contract.address, data: encodeFunctionData({ abi: contract.abi, functionName, args }) });

const feeTo = "0x0000000000000000000000000000000000000fee";
const guardian = "0x0000000000000000000000000000000000006a2d";
const token = await deploy("TestToken", [6], "Tokens");
const escrow = await deploy("ComputeEscrow", [token.address, feeTo, guardian, accountOf(CLEARANCE).address, 86_400n]);
const domain = { name: names.name, version: names.version, chainId: foundry.id, verifyingContract: escrow.address };

const idOf = (primaryType, message) => hashTypedData({ domain, types, primaryType, message });
const sign = (account, primaryType, message) => account.signTypedData({ domain, types, primaryType, message });
// Solidity can't name a field as the messages do where the name is one of its own words.
const toStruct = (terms) => ({ ...terms, seconds_: terms.seconds, extends_: terms.extends });

async function fund(owner, amount) {
  await call(deployer, token, "mint", [owner, amount]);
  await call(owner, token, "approve", [escrow.address, amount]);
  await call(owner, escrow, "deposit", [amount]);
}
const bidOf = (buyer, nonce) => ({
  buyer, meter: accountOf(METER).address, maxRate: RATE, nodes: 1, unitsPerNode: 8, maxSeconds: 3600n,
  earliestStart: now - 60n, latestStart: now + 600n, validUntil: now + 600n, allOrNone: true, interruptible: false,
  grace: 120n, maxTotal: 1000n * 10n ** 9n, maxFeeBps: 100, specHash: keccak256(toHex("spec")), nonce: BigInt(nonce),
});
const termsOf = (bid, provider) => ({
  buyer: bid.buyer, provider, meter: bid.meter, rate: bid.maxRate, unitsPerNode: bid.unitsPerNode, seconds: bid.maxSeconds,
  start: now, grace: bid.grace, feeBps: 100, bidNonce: bid.nonce, firstNode: 0, nodeCount: 1, group: zeroHash,
  extends: zeroHash, payeesHash: zeroHash, askHash: keccak256(toHex("ask")),
});
const ruleSet = keccak256(toHex("rule set"));

async function closing(terms, minPaid, closer) {
  const lease = idOf("Terms", terms);
  const cumulative = RATE * 8n * 1000n;
  return {
    terms: toStruct(terms), cumulative, minPaid,
    voucherSignature: await sign(accountOf(METER), "Voucher", { lease, cumulative }),
    closeSignature: closer ? await sign(closer, "Close", { lease, minPaid }) : "0x",
    payees: [],
  };
}

async function one(nonce) {
  const [buyer, provider] = [accountOf(BUYER), accountOf(PROVIDER)];
  const bid = bidOf(buyer.address, nonce);
  const terms = termsOf(bid, provider.address);
  const clearance = { verdict: keccak256(toHex("verdict")), ruleSet, validUntil: now + 60n };
  const clearanceSignature = await sign(accountOf(CLEARANCE), "Clearance", { lease: idOf("Terms", terms), ...clearance });
  const args = [toStruct(terms), bid, "0x", await sign(buyer, "Bid", bid), clearance, clearanceSignature];
  const opened = await call(provider.address, escrow, "open", args);
  now += 1000n;
  const closed = await call(provider.address, escrow, "close", [await closing(terms, 0n)]);
  return [opened, closed];
}

async function many(buyers, providers, relayed, firstNonce) {
  const items = [], closes = [], ids = [], all = [];
  for (let i = 0; i < MANY; ++i) {
    const [buyer, provider] = [accountOf(BUYER, i % buyers), accountOf(PROVIDER, i % providers)];
    const bid = bidOf(buyer.address, firstNonce + i);
    const terms = termsOf(bid, provider.address);
    ids.push(idOf("Terms", terms));
    all.push([terms, provider]);
    items.push({
      terms: toStruct(terms), bid, bidSignature: await sign(buyer, "Bid", bid),
      termsSignature: relayed ? await sign(provider, "Terms", terms) : "0x",
    });
  }
  const batch = { ruleSet, validUntil: now + 60n };
  batch.signature = await sign(accountOf(CLEARANCE), "ClearanceBatch", { leases: ids, ...batch });
  const sender = relayed ? accountOf(RELAYER).address : accountOf(PROVIDER, 0).address;
  const opened = await call(sender, escrow, "openMany", [items, [], batch]);
  now += 1000n;
  for (const [terms, provider] of all) closes.push(await closing(terms, 0n, relayed ? provider : undefined));
  const closed = await call(sender, escrow, "closeMany", [closes]);
  return [opened, closed];
}

await fund(accountOf(BUYER).address, 10_000n * UNIT);
await fund(accountOf(PROVIDER).address, UNIT);
await fund(feeTo, UNIT);
for (let i = 0; i < MANY; ++i) {
  await fund(accountOf(BUYER, i).address, 1000n * UNIT);
  await call(accountOf(BUYER, i).address, escrow, "cancelBids", [0n, 1n << 255n]);
  await fund(accountOf(PROVIDER, i).address, UNIT);
}
const sum = (receipts, count = 1) => Number(receipts.reduce((total, receipt) => total + receipt.gasUsed, 0n) / BigInt(count));
await one(0);
const measured = {
  "one: open + close": await one(1),
  "in 20s, one buyer: open + close": await many(1, 1, false, 1),
  "in 20s, 20 buyers: open + close": await many(MANY, 1, false, 40),
  "in 20s, 20 buyers and 20 providers, relayed: open + close": await many(MANY, MANY, true, 80),
};
let failed = 0;
const snapshot = read("snapshots/Gas.json");
const page = readFileSync(join(root, "../docs/CONTRACT.md"), "utf8");
for (const [name, receipts] of Object.entries(measured)) {
  const used = sum(receipts, name.startsWith("one") ? 1 : MANY);
  const held = Number(snapshot[name]);
  // Signatures and addresses have other bytes here, of which the zero ones are cheaper.
  const same = Math.abs(used - held) <= held / 200;
  const told = page.includes(`| ${held.toLocaleString("en-US")} |`);
  if (!same || !told) ++failed;
  console.log(`${same ? "ok  " : "FAIL"} ${name}: receipts ${used}, snapshot ${held}${told ? "" : ", FAIL docs/CONTRACT.md"}`);
}
child.kill();
console.log(`${4 - failed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
