// SD-JWT against a library that nobody here wrote: each side issues, presents and verifies what the
// other made. Usage: node interop.mjs MIZAN_BINARY
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { SDJwtInstance } from "@sd-jwt/core";

const mizan = process.argv[2] ?? process.env.MIZAN_BIN;
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mizan-interop-"));
process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }));

const file = (name, content) => {
  const at = path.join(folder, name);
  fs.writeFileSync(at, typeof content === "string" ? content : JSON.stringify(content), { mode: 0o600 });
  return at;
};
const passphrase = file("passphrase", "interop test");
const run = (...args) =>
  execFileSync(mizan, ["--home", path.join(folder, "home"), "--passphrase-file", passphrase, ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  }).trim();

const signer = (key) => (data) =>
  crypto.sign("sha256", Buffer.from(data), { key, dsaEncoding: "ieee-p1363" }).toString("base64url");
const verifier = (key) => (data, signature) =>
  crypto.verify("sha256", Buffer.from(data), { key, dsaEncoding: "ieee-p1363" }, Buffer.from(signature, "base64url"));
const holderVerifier = (data, signature, payload) =>
  verifier(crypto.createPublicKey({ key: payload.cnf.jwk, format: "jwk" }))(data, signature);
const common = {
  hasher: (data, alg) => crypto.createHash(alg.replace("-", "")).update(data).digest(),
  hashAlg: "sha-256",
  saltGenerator: () => crypto.randomBytes(16).toString("base64url"),
  signAlg: "ES256",
  kbSignAlg: "ES256K",
  kbVerifier: holderVerifier,
};
const claims = { country: "SG", parent_hq: "SG", person_id: "p-1", name: "A Person" };
const now = () => Math.floor(Date.now() / 1000);

run("key", "new", "holder");
const holderJwk = JSON.parse(run("credential", "holder"));

test("what Mizan issues and presents, the library verifies", async () => {
  const pem = path.join(folder, "issuer.pem");
  const issuerJwk = JSON.parse(run("credential", "issuer", pem));
  const credential = file("credential", run("credential", "issue", "--issuer-key", pem, "--issuer",
    "https://issuer.example", "--holder", file("holder.jwk", holderJwk), "--claims", file("claims.json", claims)));
  const shown = run("credential", "present", credential, "--show", "country,person_id", "--audience", "exchange",
    "--nonce", "n-1");

  const library = new SDJwtInstance({
    ...common,
    verifier: verifier(crypto.createPublicKey({ key: issuerJwk, format: "jwk" })),
  });
  const result = await library.verify(shown, { requiredClaimKeys: ["country"], keyBindingNonce: "n-1" });
  assert.equal(result.payload.country, "SG");
  assert.equal(result.payload.person_id, "p-1");
  assert.equal(result.payload.name, undefined);
  assert.equal(result.kb.payload.aud, "exchange");
  await assert.rejects(library.verify(shown, { keyBindingNonce: "n-2" }));
});

test("what the library issues and presents, Mizan verifies", async () => {
  const issuer = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
  const holder = crypto.generateKeyPairSync("ec", { namedCurve: "secp256k1" });
  const library = new SDJwtInstance({
    ...common,
    signer: signer(issuer.privateKey),
    verifier: verifier(issuer.publicKey),
    kbSigner: signer(holder.privateKey),
  });
  const credential = await library.issue(
    {
      iss: "https://library.example",
      iat: now(),
      exp: now() + 600,
      cnf: { jwk: holder.publicKey.export({ format: "jwk" }) },
      address: { city: "Singapore", street: "Somewhere 1" },
      tags: ["a", "b"],
      ...claims,
    },
    {
      _sd: ["country", "parent_hq", "person_id", "name", "address"],
      address: { _sd: ["street"] },
      tags: { _sd: [0, 1] },
      _sd_decoy: 3,
    },
    { header: { typ: "dc+sd-jwt" } },
  );
  const shown = await library.present(
    credential,
    { country: true, address: true, tags: { 1: true } },
    { kb: { payload: { iat: now(), aud: "exchange", nonce: "n-7" } } },
  );
  const issuers = file("issuers.json", { "https://library.example": issuer.publicKey.export({ format: "jwk" }) });
  const verify = (nonce) =>
    JSON.parse(run("--json", "credential", "verify", file("shown", shown), "--issuers", issuers, "--audience",
      "exchange", "--nonce", nonce));
  const result = verify("n-7");
  assert.equal(result.claims.country, "SG");
  assert.deepEqual(result.claims.address, { city: "Singapore" });
  assert.deepEqual(result.claims.tags, ["b"]);
  assert.equal(result.claims.name, undefined);
  assert.throws(() => verify("n-8"), (error) => error.stdout.includes("replayed"));
});
