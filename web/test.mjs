// Runs the unit tests of the SDK and the pages: `node test.mjs [WORD...]`, those whose path has one of the words.
//
// esbuild translates file by file, so that node 18 runs TypeScript and coverage is measured on the sources as they are.
import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const WEB = dirname(fileURLToPath(import.meta.url));
const OUT = join(WEB, "build/test");
const FOLDERS = ["sdk", "dashboard", "demo", "apprtc"].flatMap((entry) => [`${entry}/src`, `${entry}/test`]);

// What is generated, and what has only types.
const BARE = ["gen/**", "index.ts", "api.ts", "core/events.ts"].map((name) => `--exclude=sdk/src/${name}`);
const COVERED = ["--include=sdk/src/**", ...BARE, "--exclude-after-remap", "--all", "--src=sdk/src"];
const WANTED = ["--check-coverage", "--lines=97", "--branches=95", "--functions=97"];
const REPORTS = ["--reporter=text", "--reporter=html", "--reports-dir=build/coverage"];

// Imports name sources; what runs lies beside what they became.
const translated = {
  name: "translated",
  setup(bundler) {
    const made = (path) => path.replace(/\.ts$/, ".mjs");
    bundler.onResolve({ filter: /^\.{1,2}\/.*\.ts$/ }, ({ path, kind }) =>
      kind === "entry-point" ? undefined : { path: made(path), external: true },
    );
    bundler.onResolve({ filter: /^rtcbroker$/ }, ({ resolveDir }) => {
      const path = relative(resolveDir, resolve(WEB, "sdk/src/index.mjs"));
      return { path, external: true };
    });
  },
};

const sources = FOLDERS.flatMap((folder) =>
  readdirSync(join(WEB, folder), { recursive: true })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"))
    .map((name) => join(folder, name)),
);
rmSync(OUT, { recursive: true, force: true });
await build({
  entryPoints: sources,
  outdir: OUT,
  outbase: ".",
  outExtension: { ".js": ".mjs" },
  bundle: true,
  packages: "external",
  plugins: [translated],
  format: "esm",
  platform: "node",
  target: "node18",
  sourcemap: "inline",
  logLevel: "warning",
  absWorkingDir: WEB,
  tsconfig: join(WEB, "tsconfig.json"),
});

const words = process.argv.slice(2);
const wanted = (name) => words.length === 0 || words.some((word) => name.includes(word));
const tests = sources.filter((name) => name.endsWith(".test.ts") && wanted(name)).sort();
const files = tests.map((name) => join(OUT, name.replace(/\.ts$/, ".mjs")));
const runner = [process.execPath, "--enable-source-maps", "--test", ...files];
// A part of the tests says nothing of coverage.
const coverage = [join(WEB, "node_modules/c8/bin/c8.js"), ...COVERED, ...REPORTS, ...WANTED];
const [program, ...args] = words.length > 0 ? runner : [process.execPath, ...coverage, ...runner];
process.exit(spawnSync(program, args, { cwd: WEB, stdio: "inherit" }).status ?? 1);
