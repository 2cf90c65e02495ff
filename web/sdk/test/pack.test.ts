// The package that `npm pack ./web` makes of a fresh clone.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const SERVED = "../coordinator/static/sdk"; // from web/, where tests run

test("without node_modules it is made of what is committed", () => {
  const clone = mkdtempSync(join(tmpdir(), "rtcbroker-pack-"));
  try {
    mkdirSync(join(clone, "web"));
    for (const file of ["package.json", "package-lock.json", "pack.mjs", "README.md", ".gitignore"])
      cpSync(file, join(clone, "web", file));
    cpSync("../LICENSE", join(clone, "LICENSE"));
    cpSync(SERVED, join(clone, "coordinator/static/sdk"), { recursive: true });
    const run = (program: string, ...args: string[]) =>
      execFileSync(program, args, { cwd: clone, stdio: ["ignore", "pipe", "ignore"] })
        .toString()
        .trim()
        .split("\n");
    const packed = run("npm", "pack", "./web", "--offline").at(-1) ?? "";
    const listed = run("tar", "-tzf", packed).sort();
    const files = ["LICENSE", "README.md", "dist/rtcbroker.d.ts", "dist/rtcbroker.js", "package.json"];
    assert.deepEqual(
      listed,
      files.map((file) => `package/${file}`),
    );
    run("tar", "-xzf", packed);
    for (const name of readdirSync(SERVED))
      assert.ok(readFileSync(join(SERVED, name)).equals(readFileSync(join(clone, "package/dist", name))), name);
    const { exports: entries } = JSON.parse(readFileSync(join(clone, "package/package.json"), "utf8"));
    for (const path of Object.values(entries["."]) as string[]) readFileSync(join(clone, "package", path));
  } finally {
    rmSync(clone, { recursive: true, force: true });
  }
});
