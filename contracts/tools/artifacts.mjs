// What the programs need of the build, without node: ABI and creation code of the escrow and of the test token, in
// artifacts/. Checks that they are those of the build; with "write", writes them.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
let differ = 0;
for (const [file, name] of [["ComputeEscrow", "ComputeEscrow"], ["Tokens", "TestToken"]]) {
  const { abi, bytecode } = JSON.parse(readFileSync(join(root, `out/${file}.sol/${name}.json`), "utf8"));
  const entries = abi.map((entry) => `    ${JSON.stringify(entry)}`).join(",\n");
  const text = `{\n  "abi": [\n${entries}\n  ],\n  "bytecode": "${bytecode.object}"\n}\n`;
  const path = join(root, `artifacts/${name}.json`);
  if (process.argv[2] === "write") {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  } else if (readFileSync(path, "utf8") !== text) {
    console.log(`FAIL artifacts/${name}.json is not that of the build: run tools/test.sh snapshot`);
    ++differ;
  }
}
process.exitCode = differ ? 1 : 0;
