// Runs the unit tests: `node test.mjs` bundles each sdk/test/**/*.test.ts with esbuild, so that node 18 runs TypeScript, and measures coverage.
import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const WEB = dirname(fileURLToPath(import.meta.url));
const OUT = join(WEB, "build/test");
const FOLDERS = ["sdk", "dashboard", "demo"];

function testsOf(folder) {
  try {
    return readdirSync(join(WEB, folder, "test"), { recursive: true })
      .filter((name) => name.endsWith(".test.ts"))
      .map((name) => join(folder, "test", name));
  } catch (error) {
    if (error.code === "ENOENT") return [];
    throw error;
  }
}

const entryPoints = FOLDERS.flatMap(testsOf).sort();
rmSync(OUT, { recursive: true, force: true });
await build({
  entryPoints,
  outdir: OUT,
  outbase: ".",
  outExtension: { ".js": ".mjs" },
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node18",
  sourcemap: "inline",
  logLevel: "warning",
  absWorkingDir: WEB,
  tsconfig: join(WEB, "tsconfig.json"),
});
const bundled = entryPoints.map((name) => join(OUT, name.replace(/\.ts$/, ".mjs")));
const coverage = ["--reporter=text-summary", "--reporter=html", "--reports-dir=build/coverage", "--exclude-after-remap"];
coverage.push("--include=sdk/src/**", "--exclude=sdk/src/gen/**", "--check-coverage", "--lines=95", "--branches=90");
const runner = [process.execPath, "--test", ...bundled];
const result = spawnSync(process.execPath, [join(WEB, "node_modules/c8/bin/c8.js"), ...coverage, ...runner], {
  cwd: WEB,
  stdio: "inherit",
});
process.exit(result.status ?? 1);
