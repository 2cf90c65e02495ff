// What `npm pack` puts into the package: the SDK as it is committed, so that packing needs nothing but npm; and the license.
import { cpSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const WEB = dirname(fileURLToPath(import.meta.url));
const DIST = join(WEB, "dist");

rmSync(DIST, { recursive: true, force: true });
cpSync(join(WEB, "../coordinator/static/sdk"), DIST, { recursive: true });
cpSync(join(WEB, "../LICENSE"), join(WEB, "LICENSE"));
