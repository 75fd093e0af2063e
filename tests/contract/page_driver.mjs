// Runs the core of verify.html under Node: argv[2] is the page, standard input a JSON list of cases with base64 inputs;
// prints the list of reports. The code is taken out of the page as it is; nothing of it is replaced.
import { readFileSync } from "node:fs";
import { webcrypto } from "node:crypto";

const page = readFileSync(process.argv[2], "utf8");
const core = /<script id="core">([\s\S]*?)<\/script>/.exec(page)[1];
const { verifyReceipt, mldsa44 } = new Function("crypto", `${core}\nreturn { verifyReceipt, mldsa44 };`)(webcrypto);
const cases = JSON.parse(readFileSync(0, "utf8"));
if (process.argv[3] === "mldsa44") { // the one primitive alone: key, signature and message in hexadecimal
  const bytes = (text) => new Uint8Array(Buffer.from(text, "hex"));
  process.stdout.write(JSON.stringify(cases.map(([key, signature, message]) => mldsa44(bytes(key), bytes(signature), bytes(message)))));
  process.exit();
}
const reports = [];
for (const inputs of cases) {
  const bytes = Object.fromEntries(Object.entries(inputs).map(([name, text]) => [name, new Uint8Array(Buffer.from(text, "base64"))]));
  try {
    reports.push(await verifyReceipt(bytes));
  } catch (error) {
    reports.push({ verdict: "crashed", reason: String(error.stack), steps: [] });
  }
}
process.stdout.write(JSON.stringify(reports, (_, value) => (typeof value === "bigint" ? Number(value) : value)));
