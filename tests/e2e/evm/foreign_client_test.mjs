// Markets without a line of Mizan on the parties' side: operator, provider and buyer are viem, ws and Foundry's cast with
// protocol/eip712.json and docs/PROTOCOL.md alone, against a real `mizan exchange`, in credits and on a chain. What the
// exchange signs is verified with viem.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import assert from "node:assert/strict";
import test from "node:test";

const root = join(dirname(fileURLToPath(import.meta.url)), "../../..");
const load = createRequire(join(root, "contracts/package.json"));
const { createTestClient, encodeAbiParameters, getAddress, hashTypedData, http, keccak256, publicActions, recoverTypedDataAddress, toHex,
  walletActions, zeroAddress, zeroHash } = load("viem");
const { generatePrivateKey, privateKeyToAccount } = load("viem/accounts");
const { foundry } = load("viem/chains");
const { WebSocket } = load("ws");
const { types } = JSON.parse(readFileSync(join(root, "protocol/eip712.json"), "utf8"));
const cast = join(root, "contracts/node_modules/@foundry-rs/cast-linux-amd64/bin/cast");

const keys = Object.fromEntries(["operator", "provider", "buyer", "investor"].map((name) => [name, generatePrivateKey()]));
const { operator, provider, buyer, investor } =
  Object.fromEntries(Object.entries(keys).map(([name, key]) => [name, privateKeyToAccount(key)]));

const folder = mkdtempSync(join(tmpdir(), "mizan-foreign-"));
const children = [];
const end = () => children.forEach((child) => child.kill("SIGKILL"));
process.on("exit", end);
test.after(() => { end(); rmSync(folder, { recursive: true }); });

let url, info, domain; // of the exchange at hand
async function startExchange(name, settlement = "") {
  const config = join(folder, `${name}.yaml`);
  writeFileSync(config, `listen: 127.0.0.1:0\nstate_dir: ${join(folder, name)}\noperator: "${operator.address}"\nrules: none\n${settlement}`);
  const child = spawn(process.env.MIZAN_BIN, ["--json", "exchange", "--config", config],
    { stdio: ["ignore", "pipe", openSync(join(folder, `${name}.log`), "w")] });
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { value, done } = await lines.next();
  assert.ok(!done, readFileSync(join(folder, `${name}.log`), "utf8"));
  ({ url } = JSON.parse(value));
  assert.ok(url, value);
  info = await (await fetch(`${url}/v1/exchange`)).json();
  ({ domain } = info);
}

// Amounts and words are bigints here and strings in JSON; smaller integers are numbers on both sides.
const toJson = (value) => JSON.stringify(value, (_, v) => (typeof v === "bigint" ? v.toString() : v));
const canonical = (value) => JSON.stringify(value, (_, v) => (v && typeof v === "object" && !Array.isArray(v)
  ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1))) : v));
const sign = (account, primaryType, message) => account.signTypedData({ domain, types, primaryType, message });
const signer = (primaryType, message, signature) => recoverTypedDataAddress({ domain, types, primaryType, message, signature });
const hash = (primaryType, message) => hashTypedData({ domain, types, primaryType, message });
const seconds = () => Math.floor(Date.now() / 1000);

async function headers(account, method, target) {
  const request = { account: account.address, method, target, bodyHash: keccak256("0x"), idempotencyKey: "",
    issuedAtMs: Date.now(), nonce: Math.floor(Math.random() * 2 ** 50) };
  return { "Mizan-Account": account.address, "Mizan-Issued-At-Ms": String(request.issuedAtMs),
    "Mizan-Nonce": String(request.nonce), "Mizan-Signature": await sign(account, "Request", request) };
}
async function get(target, account) {
  const answer = await fetch(url + target, { headers: await headers(account, "GET", target) });
  const body = await answer.json();
  assert.equal(answer.status, 200, toJson(body));
  return body;
}
async function post(target, body) {
  const answer = await fetch(url + target, { method: "POST", body: toJson(body) });
  return { status: answer.status, body: await answer.json() };
}
async function taken(target, body) {
  const answer = await post(target, body);
  assert.equal(answer.status, 200, toJson(answer.body));
  const { acknowledgement, acknowledgementSignature } = answer.body;
  assert.equal(await signer("Acknowledgement", acknowledgement, acknowledgementSignature), info.identity);
  return answer.body;
}

// An agent: what it is told waits until it is asked for.
class Agent {
  static async connect() {
    const agent = new Agent();
    agent.heard = [];
    agent.sequence = 0;
    agent.socket = new WebSocket(`${url.replace("http", "ws")}/v1/agent`, { headers: await headers(provider, "GET", "/v1/agent") });
    agent.socket.on("message", (text) => { agent.heard.push(JSON.parse(text)); agent.wake?.(); });
    await new Promise((resolve, reject) => { agent.socket.on("open", resolve); agent.socket.on("error", reject); });
    return agent;
  }
  async hears(type) {
    for (const end = Date.now() + 30_000; ;) {
      const place = this.heard.findIndex((message) => message.type === type || message.type === "error");
      if (place >= 0) {
        const [message] = this.heard.splice(place, 1);
        assert.equal(message.type, type, toJson(message));
        return message;
      }
      assert.ok(Date.now() < end, `no ${type} within 30 s`);
      await new Promise((resolve) => { this.wake = resolve; setTimeout(resolve, 100); });
    }
  }
  async says(type, primaryType, message) {
    this.socket.send(toJson({ type, [primaryType.toLowerCase()]: message, signature: await sign(provider, primaryType, message) }));
  }
  beat(lease, phase, ranMs, reason = "") {
    const status = { lease, phase, stagedMs: 0, ranMs, exitCode: 0, reason, outputs: zeroHash };
    return this.says("heartbeat", "Heartbeat",
      { provider: provider.address, sequence: ++this.sequence, sentAtMs: Date.now(), leases: [status] });
  }
}

const spec = { job: { name: "t", run: "true" }, query: "cores>=1", split: false, immediate_or_cancel: true };
const aBid = (nonce) => ({
  buyer: buyer.address, meter: info.meter, maxRate: 2_000_000n, nodes: 1, unitsPerNode: 2, maxSeconds: 600, earliestStart: seconds() - 60,
  latestStart: seconds() + 60, validUntil: seconds() + 60, allOrNone: true, interruptible: false, grace: 30, maxTotal: 2_400_000_000n,
  maxFeeBps: 10_000, specHash: keccak256(toHex(canonical(spec))), nonce,
});

const balance = async (account) => BigInt((await get(`/v1/accounts/${account.address}`, account)).balance);

// A lease from the ask to the receipt, its pay shared; the buyer has $10. What was paid of it, in nano-USD.
async function wholeLease() {
  const payees = [{ to: investor.address, bps: 2500, role: "investor" }, { to: provider.address, bps: 7500 }];
  const attributes = { cores: { value: 4, source: "measured" }, payees: { value: payees, source: "self_reported" } };
  const words = payees.flatMap(({ to, bps }) => [to, BigInt(bps)]);
  const ask = {
    provider: provider.address, chip: "cpu", nodes: 1, unitsPerNode: 4, minUnits: 1, rate: 1_000_000n, from: seconds() - 10,
    until: seconds() + 10_000, minSeconds: 1, maxSeconds: 3600, interruptible: false, noticeSeconds: 0,
    attributesHash: keccak256(toHex(canonical(attributes))), claimsHash: zeroHash,
    payeesHash: keccak256(encodeAbiParameters(["address", "uint256", "address", "uint256"].map((type) => ({ type })), words)), nonce: 1,
  };
  const listed = await taken("/v1/asks", { ask, attributes, signature: await sign(provider, "Ask", ask) });
  assert.equal(listed.order, hash("Ask", ask));

  const agent = await Agent.connect();
  await agent.hears("welcome");
  const bid = aBid(10);
  const placed = await taken("/v1/bids", { bid, spec, signature: await sign(buyer, "Bid", bid) });
  assert.equal(placed.order, hash("Bid", bid));
  const { terms } = await agent.hears("match");
  const lease = hash("Terms", terms);
  assert.equal(placed.leases[0].lease, lease);
  assert.equal(terms.payeesHash, ask.payeesHash);
  await agent.says("accept", "Terms", terms);
  const { clearance, signature: cleared } = await agent.hears("funded");
  assert.equal(await signer("Clearance", clearance, cleared), info.clearance);

  const began = Date.now();
  let ran = 0;
  while (ran < 2000) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    ran = Date.now() - began;
    await agent.beat(lease, 2, ran);
  }
  await agent.beat(lease, 4, ran, "completed");
  await agent.says("close", "Close", { lease, minPaid: 1n });
  await agent.hears("closed");
  agent.socket.close();

  const bundle = await get(`/v1/leases/${lease}/receipt`, buyer);
  const { voucher, receipt } = bundle;
  assert.equal(voucher.lease, lease);
  assert.equal(await signer("Voucher", voucher, bundle.voucherSignature), info.meter);
  assert.equal(await signer("Receipt", receipt, bundle.receiptSignature), info.identity);
  assert.equal(await signer("Clearance", bundle.clearance, bundle.clearanceSignature), info.clearance);
  assert.equal(await signer("Bid", bundle.bid, bundle.bidSignature), buyer.address);
  assert.equal(await signer("Terms", bundle.terms, bundle.termsSignature), provider.address);
  assert.equal(voucher.cumulative, receipt.charged);
  assert.ok(BigInt(receipt.charged) >= 4_000_000n && BigInt(receipt.charged) % 2_000_000n === 0n, receipt.charged);
  assert.deepEqual(bundle.payees, payees.map(({ to, bps }) => ({ to, bps })));
  for (const change of [{ cumulative: String(BigInt(voucher.cumulative) + 1n) }, { lease: zeroHash }])
    assert.notEqual(await signer("Voucher", { ...voucher, ...change }, bundle.voucherSignature), info.meter);
  const elsewhere = domain.salt ? { ...domain, salt: zeroHash } : { ...domain, verifyingContract: zeroAddress };
  assert.notEqual(await recoverTypedDataAddress({ domain: elsewhere, types, primaryType: "Voucher", message: voucher,
    signature: bundle.voucherSignature }), info.meter);

  const paid = BigInt(receipt.paid);
  assert.equal(await balance(investor), paid / 4n);
  assert.equal(await balance(provider), paid - paid / 4n);
  assert.equal(await balance(buyer), 10n ** 10n - BigInt(receipt.charged));
  return { lease, paid, charged: BigInt(receipt.charged) };
}

test("viem's bid is taken, and what Mizan signs of its lease verifies in viem", async () => {
  await startExchange("credits");
  const grant = { to: buyer.address, amount: 10n ** 10n, nonce: 1, deadline: seconds() + 60 };
  await taken("/v1/grants", { grant, signature: await sign(operator, "Grant", grant) });
  await wholeLease();
});

test("cast's bid is taken; a changed one, another's and one for another exchange are not", async () => {
  const bid = aBid(20);
  const fields = [["name", "string"], ["version", "string"], ["salt", "bytes32"]].map(([name, type]) => ({ name, type }));
  const text = toJson({ types: { EIP712Domain: fields, Bid: types.Bid }, domain, primaryType: "Bid", message: bid });
  const byCast = spawnSync(cast, ["wallet", "sign", "--private-key", keys.buyer, "--data", text], { encoding: "utf8" });
  assert.equal(byCast.status, 0, byCast.stderr);
  const signature = byCast.stdout.trim();
  assert.equal(signature, await sign(buyer, "Bid", bid));

  const refused = async (body, why) => {
    const answer = await post("/v1/bids", body);
    assert.deepEqual([answer.status, answer.body.code], [401, "unauthenticated"], why);
  };
  await refused({ bid: { ...bid, maxRate: 2_000_001n }, spec, signature }, "a changed bid");
  await refused({ bid, spec, signature: await sign(provider, "Bid", bid) }, "another's signature");
  await refused({ bid, spec, signature: await buyer.signTypedData({ domain: { ...domain, salt: zeroHash }, types, primaryType: "Bid",
    message: bid }) }, "another exchange's domain");
  const placed = await taken("/v1/bids", { bid, spec, signature });
  assert.deepEqual([placed.status, placed.leases.length], ["matched", 1]);
  assert.equal((await post("/v1/bids", { bid, spec, signature })).body.code, "replayed", "its nonce is spent");
});

test("the same on a chain, where viem deploys, deposits and looks into the contract", async () => {
  const log = join(folder, "anvil.log");
  children.push(spawn(join(root, "contracts/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"), ["--port", "0"],
    { stdio: ["ignore", openSync(log, "w"), "inherit"] }));
  let node;
  for (const until = Date.now() + 30_000; !node; await new Promise((resolve) => setTimeout(resolve, 20))) {
    assert.ok(Date.now() < until, "anvil does not listen");
    node = readFileSync(log, "utf8").match(/Listening on (\S+)\n/)?.[1];
  }
  const client = createTestClient({ mode: "anvil", chain: foundry, transport: http(`http://${node}`) }).extend(publicActions)
    .extend(walletActions);
  const keysOf = spawnSync(process.env.MIZAN_BIN, ["--json", "exchange", "--keys", "--state-dir", join(folder, "chain"), "--operator",
    operator.address], { encoding: "utf8" });
  const { clearance, gas } = JSON.parse(keysOf.stdout);
  for (const address of [gas, operator.address, buyer.address]) await client.setBalance({ address, value: 10n ** 19n });
  const artifact = (name) => JSON.parse(readFileSync(join(root, `contracts/artifacts/${name}.json`), "utf8"));
  const mined = async (hash) => {
    const receipt = await client.waitForTransactionReceipt({ hash });
    assert.equal(receipt.status, "success");
    return receipt;
  };
  const deploy = async (name, args) => {
    const { abi, bytecode } = artifact(name);
    const { contractAddress } = await mined(await client.deployContract({ abi, bytecode, args, account: operator }));
    const call = (account, functionName, args) =>
      client.writeContract({ address: contractAddress, abi, functionName, args, account }).then(mined);
    const view = (functionName, args) => client.readContract({ address: contractAddress, abi, functionName, args });
    return { address: contractAddress, call, view };
  };
  const token = await deploy("TestToken", [6]);
  const escrow = await deploy("ComputeEscrow", [token.address, operator.address, operator.address, clearance, 86_400n]);
  await token.call(operator, "mint", [buyer.address, 10_000_000n]);
  await token.call(buyer, "approve", [escrow.address, 10_000_000n]);
  await escrow.call(buyer, "deposit", [10_000_000n]);

  await startExchange("chain",
    `settlement: evm\nchain: {node: "http://${node}", chain_id: 31337, contract: "${escrow.address}", depth: 0}\n`);
  assert.deepEqual([domain.chainId, domain.verifyingContract], [31337, getAddress(escrow.address)]);
  while (await balance(buyer) === 0n) await new Promise((resolve) => setTimeout(resolve, 50));
  const { lease, paid, charged } = await wholeLease();
  assert.deepEqual((await escrow.view("leaseOf", [lease]))[0], 0n, "closed");
  const there = async (account) => 1000n * await escrow.view("balanceOf", [account.address]);
  assert.equal(await there(investor), paid / 4n / 1000n * 1000n);
  assert.equal(await there(provider), paid - await there(investor));
  assert.equal(await there(buyer), 10n ** 10n - charged);
});
