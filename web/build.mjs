// Builds what the coordinator serves: `node build.mjs [ENTRY...]` writes coordinator/static/<entry>/ and web/<entry>/built.stamp.
//
// The same sources and the same lock give the same bytes, wherever it runs: `make check` builds again and compares.
//   --into DIRECTORY   write there instead of coordinator/static, and no stamp
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const WEB = dirname(fileURLToPath(import.meta.url));
const STATIC = resolve(WEB, "../coordinator/static");
const ENTRIES = { sdk: "sdk/src/index.ts", dashboard: "dashboard/src/main.ts", demo: "demo/src/main.ts", apprtc: "apprtc/src" };

// AppRTC's clients know where its pages keep their scripts.
const APPRTC_PAGES = ["home", "call", "full"];
const APPRTC_SCRIPTS = ["loopback"]; // for pages of others, as scripts that are no modules

// A page pays for the SDK before it can do anything with it.
const MAX_SDK_GZIPPED_BYTES = 30 * 1024;

const BROWSERS = ["chrome107", "firefox115", "safari16.4"];

const COMMON = {
  bundle: true,
  format: "esm",
  platform: "browser",
  target: BROWSERS,
  minify: true,
  legalComments: "none",
  charset: "utf8",
  logLevel: "warning",
  absWorkingDir: WEB,
  tsconfig: join(WEB, "tsconfig.json"),
};

// The pages load the very file that others load.
const SERVED_SDK = {
  name: "served-sdk",
  setup(bundler) {
    bundler.onResolve({ filter: /^rtcbroker$/ }, () => ({ path: "/sdk/rtcbroker.js", external: true }));
  },
};

async function buildSdk(into) {
  const file = join(into, "rtcbroker.js");
  const version = JSON.parse(readFileSync(join(WEB, "package.json"), "utf8")).version;
  await build({
    ...COMMON,
    entryPoints: [ENTRIES.sdk],
    outfile: file,
    banner: { js: `// rtcbroker ${version}, https://www.apache.org/licenses/LICENSE-2.0; with @bufbuild/protobuf, same license` },
  });
  const size = gzipSync(readFileSync(file), { level: 9 }).length;
  console.log(`web: the SDK has ${size} bytes gzipped, at most ${MAX_SDK_GZIPPED_BYTES}`);
  if (size > MAX_SDK_GZIPPED_BYTES) throw new Error(`the SDK is too large: ${size} bytes gzipped`);
  const generator = join(WEB, "node_modules/dts-bundle-generator/dist/bin/dts-bundle-generator.js");
  const options = ["--silent", "--no-banner", "--export-referenced-types=false", "--project", "tsconfig.json"];
  execFileSync(process.execPath, [generator, ...options, "--out-file", join(into, "rtcbroker.d.ts"), ENTRIES.sdk], {
    cwd: WEB,
    stdio: "inherit",
  });
}

async function buildPage(entry, into) {
  await build({ ...COMMON, entryPoints: [ENTRIES[entry]], outfile: join(into, "main.js"), plugins: [SERVED_SDK] });
  for (const name of ["index.html", "style.css"]) cpSync(join(WEB, entry, name), join(into, name));
  const more = join(WEB, entry, "static");
  if (existsSync(more)) cpSync(more, into, { recursive: true });
}

async function buildApprtc(into) {
  const entryPoints = APPRTC_PAGES.map((page) => join(ENTRIES.apprtc, `${page}.ts`));
  await build({ ...COMMON, entryPoints, outdir: join(into, "js") });
  const scripts = APPRTC_SCRIPTS.map((script) => join(ENTRIES.apprtc, `${script}.ts`));
  await build({ ...COMMON, entryPoints: scripts, outdir: join(into, "js"), format: "iife" });
  for (const page of APPRTC_PAGES) cpSync(join(WEB, "apprtc", `${page}.html`), join(into, `${page}.html`));
  cpSync(join(WEB, "apprtc/static"), into, { recursive: true });
}

const BUILDERS = { sdk: buildSdk, apprtc: buildApprtc };

async function buildEntry(entry, root) {
  // Elsewhere first: what is served is replaced by a whole, or not at all.
  const made = join(WEB, "build/made", entry);
  rmSync(made, { recursive: true, force: true });
  mkdirSync(made, { recursive: true });
  const buildEntryInto = BUILDERS[entry] ?? ((into) => buildPage(entry, into));
  await buildEntryInto(made);
  const into = join(root, entry);
  rmSync(into, { recursive: true, force: true });
  cpSync(made, into, { recursive: true });
  console.log(`web: ${entry}: ${readdirSync(into).sort().join(" ")}`);
}

const args = process.argv.slice(2);
const flag = args.indexOf("--into");
const root = flag < 0 ? STATIC : resolve(args.splice(flag, 2)[1]);
for (const name of args) {
  if (!(name in ENTRIES)) throw new Error(`${name}: none of ${Object.keys(ENTRIES).join(", ")}`);
}
for (const entry of args.length ? args : Object.keys(ENTRIES)) {
  await buildEntry(entry, root);
  if (flag >= 0) continue;
  const stamp = execFileSync("sh", [join(WEB, "../scripts/web.sh"), "sum", entry], { encoding: "utf8" });
  writeFileSync(join(WEB, entry, "built.stamp"), stamp);
}
