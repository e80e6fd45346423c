// A buyer and an exchange that use viem and protocol/eip712.json alone, and `mizan` between them and the contract: the
// command line deploys, deposits, opens, claims, closes, stops, withdraws and audits what viem signed.
//   node cli_test.mjs MIZAN
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import assert from "node:assert/strict";
import test from "node:test";

const root = join(dirname(fileURLToPath(import.meta.url)), "../../..");
const load = createRequire(join(root, "contracts/package.json"));
const { createTestClient, createWalletClient, hashTypedData, http, keccak256, publicActions, toHex, zeroHash } = load("viem");
const { privateKeyToAccount } = load("viem/accounts");
const { foundry } = load("viem/chains");
const mizan = process.env.MIZAN_BIN;
const { types } = JSON.parse(readFileSync(join(root, "protocol/eip712.json"), "utf8"));

const home = mkdtempSync(join(tmpdir(), "mizan-chain-"));

// What it says goes to a file: a pipe that nobody reads while a command runs would stop it.
async function startAnvil() {
  const binary = join(root, "contracts/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil");
  const log = join(home, "anvil.log");
  const child = spawn(binary, ["--port", "0"], { stdio: ["ignore", openSync(log, "w"), "inherit"] });
  process.on("exit", () => child.kill("SIGKILL"));
  for (let waited = 0; waited < 30_000; waited += 20) {
    const found = readFileSync(log, "utf8").match(/Listening on (\S+)\n/);
    if (found) return { url: `http://${found[1]}`, child };
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`anvil does not listen:\n${readFileSync(log, "utf8")}`);
}

const { url, child } = await startAnvil();
const client = createTestClient({ mode: "anvil", chain: foundry, transport: http(url) }).extend(publicActions);
const passphrase = join(home, "passphrase");
writeFileSync(passphrase, "a passphrase of a test\n", { mode: 0o600 });
test.after(() => { run("key", "lock"); child.kill("SIGKILL"); rmSync(home, { recursive: true }); });

function run(...args) {
  const done = spawnSync(mizan, ["--home", home, "--passphrase-file", passphrase, "--json", ...args], { encoding: "utf8" });
  return { code: done.status, out: done.stdout.trim() ? JSON.parse(done.stdout.trim().split("\n").at(-1)) : null, err: done.stderr };
}
function must(...args) {
  const { code, out, err } = run(...args);
  assert.equal(code, 0, `mizan ${args.join(" ")}: ${err} ${JSON.stringify(out)}`);
  return out;
}

const keyOf = (i) => toHex(0xabc000n + BigInt(i), { size: 32 });
const [provider, meter, clearance] = [1, 2, 3].map((i) => privateKeyToAccount(keyOf(i)));
let buyer, buyerAddress, domain, contract;
const toJson = (message) => JSON.parse(JSON.stringify(message, (_, value) => (typeof value === "bigint" ? value.toString() : value)));
const numbers = new Set(["uint8", "uint16", "uint32", "uint64"]);
function plain(type, message) { // small integers are JSON numbers, uint128 are strings
  return Object.fromEntries(types[type].map(({ name, type: t }) =>
    [name, numbers.has(t) ? Number(message[name]) : toJson(message[name])]));
}
const sign = (account, primaryType, message) => account.signTypedData({ domain, types, primaryType, message });

async function leaseFile(nonce, change = {}) {
  const now = Number((await client.getBlock()).timestamp);
  const bid = {
    buyer: buyerAddress, meter: meter.address, maxRate: 1_000_000n, nodes: 1, unitsPerNode: 2, maxSeconds: 600, earliestStart: now - 10,
    latestStart: now + 600, validUntil: now + 600, allOrNone: true, interruptible: false, grace: 120, maxTotal: 10n ** 12n,
    maxFeeBps: 100, specHash: keccak256(toHex("spec")), nonce, ...change.bid,
  };
  const terms = {
    buyer: bid.buyer, provider: provider.address, meter: bid.meter, rate: bid.maxRate, unitsPerNode: 2, seconds: 600, start: now,
    grace: 120, feeBps: 100, bidNonce: nonce, firstNode: 0, nodeCount: 1, group: zeroHash, extends: zeroHash, payeesHash: zeroHash,
    askHash: keccak256(toHex("ask")), ...change.terms,
  };
  const lease = hashTypedData({ domain, types, primaryType: "Terms", message: terms });
  const clear = { lease, verdict: zeroHash, ruleSet: zeroHash, validUntil: now + 60 };
  const file = {
    terms: plain("Terms", terms), termsSignature: await sign(provider, "Terms", terms),
    bid: plain("Bid", bid), bidSignature: await sign(buyer, "Bid", bid),
    clearance: plain("Clearance", clear), clearanceSignature: await sign(change.clearance ?? clearance, "Clearance", clear),
  };
  const path = join(home, `lease-${nonce}.json`);
  const save = () => writeFileSync(path, JSON.stringify(file));
  save();
  return { path, file, lease, save, now };
}

test("deploy, deposit, open, claim, close, withdraw, audit", async () => {
  const bare = run("contract", "show");
  assert.equal(bare.code, 1);
  assert.match(bare.out.error.message, /contract join/);

  // The buyer's key is viem's, taken into the home.
  writeFileSync(join(home, "key.hex"), keyOf(4).slice(2), { mode: 0o600 });
  must("key", "import", "buyer", join(home, "key.hex"));
  must("key", "unlock", "--for", "10m");
  buyer = privateKeyToAccount(keyOf(4));
  buyerAddress = buyer.address;
  const poor = run("contract", "deploy", "--node", url, "--chain-id", "31337", "--test-token", "--clearance", clearance.address, "--depth", "0");
  assert.notEqual(poor.code, 0);
  assert.match(poor.out.error.message, /not over yet.*nsufficient/s);
  await client.setBalance({ address: buyerAddress, value: 10n ** 20n });
  const deployed = must("contract", "deploy", "--node", url, "--chain-id", "31337", "--test-token", "--clearance", clearance.address,
    "--depth", "0", "--fee-to", privateKeyToAccount(keyOf(9)).address);
  contract = deployed.contract;
  domain = { name: "Mizan", version: "1", chainId: 31337, verifyingContract: contract };
  assert.equal(deployed.decimals, 6);
  const again = must("contract", "join", contract, "--node", url, "--chain-id", "31337", "--depth", "0");
  assert.equal(again.token, deployed.token);
  assert.equal(run("contract", "join", deployed.token, "--node", url, "--chain-id", "31337").code, 1, "the token is no escrow");
  assert.equal(run("contract", "join", contract, "--node", url, "--chain-id", "1").code, 1, "another chain");
  const deep = run("contract", "join", contract, "--node", url, "--chain-id", "31337", "--depth", "1001");
  assert.equal(deep.code, 2);
  assert.match(deep.out.error.message, /--depth: is at most 1000 blocks/);

  must("account", "mint", "20");
  assert.equal(run("account", "deposit", "21").code, 1, "more than there is");
  assert.equal(run("account", "deposit", "0.0000001").code, 2, "finer than the token");
  assert.equal(must("account", "deposit", "15.5").balance, "15500000");
  for (const nobody of ["0x" + "0".repeat(40), deployed.token, contract])
    assert.equal(run("account", "withdraw", "1", "--to", nobody).code, 2, "it would be lost");

  const deal = await leaseFile(0);
  assert.equal(must("lease", "open", deal.path).state, "open");
  assert.equal(must("account", "chain").balance, String(15_500_000 - 1_200_000));
  assert.equal(must("audit").solvent, true);
  assert.equal(must("audit").openLeases, 1);
  assert.equal(must("lease", "open", deal.path).state, "open", "the same command again does nothing");

  await client.setNextBlockTimestamp({ timestamp: BigInt(deal.now + 100) });
  await client.mine({ blocks: 1 });
  const voucher = async (cumulative, key = meter) => {
    deal.file.voucher = plain("Voucher", { lease: deal.lease, cumulative });
    deal.file.voucherSignature = await sign(key, "Voucher", { lease: deal.lease, cumulative });
    deal.save();
  };
  await voucher(100_000_000n, clearance);
  const forged = run("lease", "claim", deal.path);
  assert.equal(forged.code, 1);
  assert.match(forged.out.error.message, /not signed by the lease's meter/);
  await voucher(100_000_000n);
  assert.equal(must("lease", "claim", deal.path).claimed, "100000");
  await voucher(150_000_000n);
  const close = { lease: deal.lease, minPaid: 0n };
  assert.equal(run("lease", "close", deal.path).code, 2, "the provider did not sign");
  deal.file.close = plain("Close", close);
  deal.file.closeSignature = await sign(provider, "Close", close);
  deal.save();
  assert.equal(must("lease", "close", deal.path).state, "not open");
  assert.equal(must("account", "chain").balance, String(15_500_000 - 150_000));

  const audit = must("audit");
  assert.deepEqual([audit.solvent, audit.openLeases, audit.escrow, audit.owed, audit.held, audit.fees],
    [true, 0, "0", "15500000", "15500000", "1500"]);
  assert.equal(must("account", "withdraw", "5.35").balance, "10000000");
  assert.equal(run("account", "withdraw", "11").code, 1);
  assert.equal(must("audit").held, "10150000");
});

test("the buyer stops a lease, by itself and by what it signed; the delay ends it", async () => {
  const first = await leaseFile(1);
  must("lease", "open", first.path);
  assert.equal(must("lease", "request-close", first.path).state, "stopped");
  const second = await leaseFile(2);
  must("lease", "open", second.path);
  const request = { lease: second.lease, nonce: 7n, deadline: BigInt(second.now + 5000), maxRelayFee: 0n };
  second.file.requestClose = plain("RequestClose", request);
  second.file.requestCloseSignature = await sign(buyer, "RequestClose", request);
  second.save();
  assert.equal(must("lease", "request-close", second.path).state, "stopped");
  const early = run("lease", "finalize", second.path);
  assert.equal(early.code, 1);
  assert.match(early.out.error.message, /the delay is not over/);
  await client.increaseTime({ seconds: 90_000 });
  await client.mine({ blocks: 1 });
  for (const deal of [first, second]) assert.equal(must("lease", "finalize", deal.path).state, "not open");
  assert.equal(must("audit").escrow, "0");
});

test("what may not open does not, and says why", async () => {
  const uncleared = await leaseFile(10, { clearance: meter });
  assert.match(run("lease", "open", uncleared.path).out.error.message, /not cleared by the exchange's clearance key/);
  const dear = await leaseFile(11, { terms: { rate: 1_000_001n } });
  assert.match(run("lease", "open", dear.path).out.error.message, /not what the bid allows/);
  const other = await leaseFile(12);
  other.file.terms.bidNonce = 13;
  other.save();
  assert.match(run("lease", "open", other.path).out.error.message, /about another lease, chain or contract/);
  const broke = await leaseFile(14, { bid: { maxRate: 10n ** 9n }, terms: { rate: 10n ** 9n } });
  assert.equal(run("lease", "open", broke.path).code, 1);
});

test("a watcher brings what parties left with it", async () => {
  const folder = join(home, "watched");
  mkdirSync(folder);
  const put = async (nonce, change) => {
    const deal = await leaseFile(nonce);
    must("lease", "open", deal.path);
    await change(deal);
    writeFileSync(join(folder, `${nonce}.json`), JSON.stringify(deal.file));
    return deal;
  };
  const voucher = async (deal, cumulative) => {
    deal.file.voucher = plain("Voucher", { lease: deal.lease, cumulative });
    deal.file.voucherSignature = await sign(meter, "Voucher", { lease: deal.lease, cumulative });
  };
  const stop = async (deal, nonce) => {
    const request = { lease: deal.lease, nonce, deadline: BigInt(deal.now + 500_000), maxRelayFee: 0n };
    deal.file.requestClose = plain("RequestClose", request);
    deal.file.requestCloseSignature = await sign(buyer, "RequestClose", request);
    deal.file.stopAt = deal.now + 60;
  };
  const close = async (deal, minPaid) => {
    deal.file.close = plain("Close", { lease: deal.lease, minPaid });
    deal.file.closeSignature = await sign(provider, "Close", { lease: deal.lease, minPaid });
  };
  const closes = await put(30, async (deal) => { // the provider is away: its close waits for the end
    await voucher(deal, 200_000_000n);
    await close(deal, 0n);
  });
  const claims = await put(31, (deal) => voucher(deal, 50_000_000n)); // no close was signed
  const stops = await put(32, (deal) => stop(deal, 90n)); // the buyer is away
  const short = await put(33, async (deal) => { // the stop leaves less than the close asks for
    await voucher(deal, 900_000_000n);
    await close(deal, 891_000_000n);
    await stop(deal, 91n);
  });
  const early = await put(34, async (deal) => { // claimed once before, when little was earned, from its agent's record
    const { terms } = deal.file;
    await voucher(deal, 900_000_000n);
    const record = { stage: "funded", lease: deal.lease, terms, vouchered: "900000000", voucherSignature: deal.file.voucherSignature };
    writeFileSync(deal.path, JSON.stringify(record));
    assert.notEqual(must("lease", "claim", deal.path).claimed, "900000");
  });
  // What both parties sign by their own commands.
  const signed = await leaseFile(35);
  must("lease", "open", signed.path);
  await voucher(signed, 50_000_000n);
  signed.save();
  const lodged = join(folder, "35.json");
  must("lease", "request-close", signed.path, "--sign", lodged, "--in", "60s");
  assert.match(run("lease", "close", lodged, "--sign", lodged).out.error.message, /the lease's provider signs this/);
  const providers = join(home, "provider");
  mkdirSync(providers, { mode: 0o700 });
  writeFileSync(join(providers, "chain.json"), readFileSync(join(home, "chain.json")), { mode: 0o600 });
  writeFileSync(join(home, "provider.hex"), keyOf(1).slice(2), { mode: 0o600 });
  for (const args of [["key", "import", "provider", join(home, "provider.hex")], ["lease", "close", lodged, "--sign", lodged]]) {
    const done = spawnSync(mizan, ["--home", providers, "--passphrase-file", passphrase, "--json", ...args], { encoding: "utf8" });
    assert.equal(done.status, 0, done.stderr + done.stdout);
  }
  writeFileSync(join(folder, "torn.json"), "{");
  const round = () => {
    const done = spawnSync(mizan, ["--home", home, "--json", "watch", folder, "--once"], { encoding: "utf8" });
    const did = done.stdout.trim().split("\n").filter(Boolean).map((line) => JSON.parse(line));
    return Object.fromEntries(did.map(({ file, did: what }) => [file, what]));
  };
  const pass = async (seconds) => { await client.increaseTime({ seconds }); await client.mine({ blocks: 1 }); };
  assert.deepEqual(round(), { "torn.json": "waits" });
  await pass(120);
  assert.deepEqual(round(), { "32.json": "request-close", "33.json": "request-close", "35.json": "request-close", "torn.json": "waits" });
  assert.equal(must("lease", "show", stops.path).state, "stopped");
  await pass(600);
  assert.deepEqual(round(), { "30.json": "close", "31.json": "claim", "33.json": "claim", "34.json": "claim", "35.json": "close", "torn.json": "waits" });
  assert.equal(must("lease", "show", lodged).state, "not open");
  assert.ok(Number(must("lease", "show", short.path).claimed) >= 240_000, "all that the contract pays");
  assert.equal(must("lease", "show", early.path).claimed, "900000");
  assert.equal(must("lease", "show", closes.path).state, "not open");
  assert.equal(must("lease", "show", claims.path).claimed, "50000");
  assert.deepEqual(round(), { "33.json": "waits", "torn.json": "waits" }, "nothing twice");
  await pass(90_000);
  assert.deepEqual(round(), { "31.json": "finalize", "32.json": "finalize", "33.json": "finalize", "34.json": "finalize", "torn.json": "waits" });
  const audit = must("audit");
  assert.deepEqual([audit.openLeases, audit.escrow, audit.solvent], [0, "0", true]);
});

test("a node that leaves out a log is found by the audit", async () => {
  const deal = await leaseFile(50);
  must("lease", "open", deal.path);
  await client.increaseTime({ seconds: 30 });
  deal.file.close = plain("Close", { lease: deal.lease, minPaid: 0n });
  deal.file.closeSignature = await sign(provider, "Close", { lease: deal.lease, minPaid: 0n });
  deal.save();
  must("lease", "close", deal.path);
  must("audit");
  const logs = await client.getLogs({ address: contract, fromBlock: 0n });
  const last = logs.at(-1);
  const deposit = logs.find(({ data, topics }) => topics.length === 2 && BigInt(data) === 15_500_000n);
  let hidden;
  const server = createServer((request, answer) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", async () => {
      const body = Buffer.concat(parts).toString();
      const reply = await (await fetch(url, { method: "POST", body, headers: { "content-type": "application/json" } })).json();
      const isHidden = (log) => log.transactionHash === hidden.transactionHash && Number(log.logIndex) === Number(hidden.logIndex);
      if (body.includes("eth_getLogs") && Array.isArray(reply.result)) reply.result = reply.result.filter((log) => !isHidden(log));
      answer.setHeader("content-type", "application/json");
      answer.end(JSON.stringify(reply));
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  // In a process of its own the command does not wait for this one, which is its node.
  const deceived = (...args) => new Promise((resolve) => {
    const child = spawn(mizan, ["--home", `${home}-deceived`, "--json", ...args], { stdio: ["ignore", "pipe", "ignore"] });
    let text = "";
    child.stdout.on("data", (part) => { text += part; });
    child.on("close", (code) => resolve({ code, out: JSON.parse(text.trim().split("\n").at(-1)) }));
  });
  try {
    hidden = { transactionHash: "none", logIndex: 0 };
    const joined = await deceived("contract", "join", contract, "--node", `http://127.0.0.1:${server.address().port}`, "--chain-id", "31337",
      "--depth", "0");
    assert.equal(joined.code, 0, JSON.stringify(joined.out));
    assert.equal((await deceived("audit")).out.solvent, true);
    for (const [log, words] of [[last, /open by the events, and not in the contract/], [deposit, /contradict|those who deposited/]]) {
      hidden = log;
      const found = await deceived("audit");
      assert.equal(found.code, 1);
      assert.match(found.out.error.message, words);
    }
  } finally { server.close(); rmSync(`${home}-deceived`, { recursive: true, force: true }); }
});

/// Another party's home, with its key unlocked, and the commands in it.
const homeOf = (name, key) => {
  const folder = `${home}-${name}`;
  const of = (...args) => {
    const done = spawnSync(mizan, ["--home", folder, "--passphrase-file", passphrase, "--json", ...args], { encoding: "utf8" });
    return { code: done.status, out: done.stdout.trim() ? JSON.parse(done.stdout.trim().split("\n").at(-1)) : null, err: done.stderr };
  };
  const must = (...args) => {
    const { code, out, err } = of(...args);
    assert.equal(code, 0, `mizan ${args.join(" ")}: ${err} ${JSON.stringify(out)}`);
    return out;
  };
  mkdirSync(folder, { mode: 0o700 });
  writeFileSync(join(folder, "key.hex"), keyOf(key).slice(2), { mode: 0o600 });
  must("key", "import", "me", join(folder, "key.hex"));
  must("key", "unlock", "--for", "10m");
  return { folder, of, must };
};

test("a token that changes no allowance but from nothing", async () => {
  const { abi, bytecode } = JSON.parse(readFileSync(join(root, "contracts/out/Tokens.sol/SilentToken.json"), "utf8"));
  const { folder, must: at } = homeOf("silent", 5);
  try {
    const account = privateKeyToAccount(keyOf(5));
    await client.setBalance({ address: account.address, value: 10n ** 20n });
    const wallet = createWalletClient({ account, chain: foundry, transport: http(url) });
    const receipt = async (hash) => client.waitForTransactionReceipt({ hash });
    const token = (await receipt(await wallet.deployContract({ abi, bytecode: bytecode.object }))).contractAddress;
    const call = async (functionName, args) => receipt(await wallet.writeContract({ address: token, abi, functionName, args }));
    const made = at("contract", "deploy", "--node", url, "--chain-id", "31337", "--token", token, "--clearance", clearance.address, "--depth", "0");
    await call("mint", [account.address, 20_000_000n]);
    await call("approve", [made.contract, 1_000_000n]);
    assert.equal(at("account", "deposit", "5").balance, "5000000");
    at("key", "lock");
  } finally { rmSync(folder, { recursive: true, force: true }); }
});

test("an owner without the chain's coin: another sends what it signed", async () => {
  const { folder: poor, of, must: mustOf } = homeOf("poor", 6);
  const balance = async (who) => client.readContract({ address: contract, functionName: "balanceOf", args: [who],
    abi: [{ name: "balanceOf", type: "function", stateMutability: "view", inputs: [{ type: "address" }], outputs: [{ type: "uint256" }] }] });
  try {
    const owner = privateKeyToAccount(keyOf(6));
    const { token } = mustOf("contract", "join", contract, "--node", url, "--chain-id", "31337", "--depth", "0");
    const { abi } = JSON.parse(readFileSync(join(root, "contracts/artifacts/TestToken.json"), "utf8"));
    const wallet = createWalletClient({ account: buyer, chain: foundry, transport: http(url) });
    const mint = await wallet.writeContract({ address: token, abi, functionName: "mint", args: [owner.address, 30_000_000n] });
    await client.waitForTransactionReceipt({ hash: mint });

    const file = join(poor, "message.json");
    mustOf("account", "deposit", "10", "--sign", file);
    const before = await balance(buyerAddress);
    assert.equal(must("account", "relay", file).balance, "10000000");
    assert.equal(must("account", "relay", file).balance, "10000000", "once");
    mustOf("account", "deposit", "5", "--sign", file, "--authorization");
    assert.equal(must("account", "relay", file).balance, "15000000");
    const other = JSON.parse(readFileSync(file, "utf8"));
    other.authorization.value = "6000000";
    other.authorization.nonce = toHex(7n, { size: 32 });
    writeFileSync(file, JSON.stringify(other));
    const forged = run("account", "relay", file);
    assert.equal(forged.code, 1);
    assert.match(forged.out.error.message, /3009: signature/);

    mustOf("account", "withdraw", "4", "--sign", file, "--relay-fee", "0.5");
    assert.match(run("account", "relay", file, "--fee", "0.6").out.error.message, /at most \$0.50/);
    assert.equal(must("account", "relay", file, "--fee", "0.25").balance, "11000000");
    assert.equal(await balance(buyerAddress), before + 250_000n, "the sender has its fee");
    assert.equal(mustOf("account", "chain").tokens, String(30_000_000 - 15_000_000 + 3_750_000));

    mustOf("account", "cancel-bids", "300", "--count", "2", "--sign", file, "--relay-fee", "1");
    assert.equal(must("account", "relay", file).balance, "10000000");
    const bits = await client.readContract({ address: contract, functionName: "bidBits", args: [owner.address, 1n],
      abi: [{ name: "bidBits", type: "function", stateMutability: "view", inputs: [{ type: "address" }, { type: "uint256" }], outputs: [{ type: "uint256" }] }] });
    assert.equal(bits, 3n << 44n);
    assert.match(of("account", "cancel-bids", "511", "--count", "2").out.error.message, /one word/);
    assert.match(of("contract", "pause").out.error.message, /only the contract's guardian .* may do this/);
    must("audit");
    mustOf("key", "lock");
  } finally { rmSync(poor, { recursive: true, force: true }); }
});

test("the guardian pauses, and puts another clearance key in force", async () => {
  const refused = (words, ...args) => {
    const { code, out } = run(...args);
    assert.equal(code, 1, args.join(" "));
    assert.match(out.error.message, words);
  };
  const spare = privateKeyToAccount(keyOf(8)).address;
  const deal = await leaseFile(70);
  must("contract", "pause");
  refused(/paused already/, "contract", "pause");
  refused(/guardian has stopped/, "lease", "open", deal.path);
  assert.equal(must("contract", "show").paused, true);
  must("contract", "unpause");
  refused(/not paused/, "contract", "unpause");
  refused(/no clearance key is proposed/, "contract", "accept-clearance-key");
  refused(/in force/, "contract", "propose-clearance-key", clearance.address);
  must("contract", "propose-clearance-key", spare);
  refused(/may be accepted in .*not earlier/, "contract", "accept-clearance-key");
  must("contract", "revoke-clearance-key");
  refused(/is revoked/, "contract", "revoke-clearance-key");
  refused(/not cleared/, "lease", "open", deal.path);
  assert.equal(must("contract", "show").nextClearance, spare);
  await client.increaseTime({ seconds: 48 * 3600 });
  await client.mine({ blocks: 1 });
  must("contract", "accept-clearance-key");
  const shown = must("contract", "show");
  assert.equal(shown.clearance, spare);
  const later = await leaseFile(71, { clearance: privateKeyToAccount(keyOf(8)) });
  assert.equal(must("lease", "open", later.path).state, "open");
});

test("killed at any moment and run again, a command pays once", async () => {
  const before = must("audit");
  let told = 0, unsure = 0; // unsure: killed between its answer and its end, it may be told again
  for (let i = 0; i < 8; ++i) {
    // Until one of them ends well; what was killed before may have been sent, or done, already.
    for (let delay = 5 + 17 * i; ; delay += 40) {
      const done = spawnSync(mizan, ["--home", home, "--json", "account", "withdraw", "0.01"],
        { encoding: "utf8", timeout: delay, killSignal: "SIGKILL" });
      if (done.status === 0) break;
      if (done.stdout.includes('"balance"')) ++unsure;
    }
    ++told;
  }
  const paid = (Number(must("audit").withdrawn) - Number(before.withdrawn)) / 10_000;
  assert.ok(paid >= told && paid <= told + unsure, `${paid} paid, ${told} told, ${unsure} told twice perhaps`);
});

test("a node that is away is waited for in words", async () => {
  child.kill("SIGKILL");
  const away = run("audit");
  assert.equal(away.code, 1);
  assert.match(away.out.error.message, /does not answer/);
});
