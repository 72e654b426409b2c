/** A small disk of a test's own, in memory, that can be filled by so many percent and emptied again; it needs root. */
import { execFile } from "node:child_process";
import { mkdtemp, open, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
/** Room for what the journal makes ahead, and more than a fifth beside it. */
const MIB = 320;
const BLOCK = Buffer.alloc(1 << 20, 7);

/** Gives `{ path, usedPercent, fillTo, clear, unmount }`, or `{ why }` if none can be mounted. */
export async function smallDisk() {
  const path = await mkdtemp(join(tmpdir(), "wardline-small-disk-"));
  try {
    await run("mount", ["-t", "tmpfs", "-o", `size=${MIB}m`, "wardline-browser", path]);
  } catch (refused) {
    await rm(path, { recursive: true });
    return { why: `no small disk can be mounted; run as root (${String(refused.stderr ?? refused).trim()})` };
  }
  const filler = join(path, "filler");
  /** Of what files may take, rounded up, as the server counts. */
  const usedPercent = async () => {
    const { blocks, bfree, bavail } = await statfs(path),
      used = blocks - bfree;
    return Math.ceil((used * 100) / (used + bavail));
  };
  const fillTo = async (percent) => {
    const file = await open(filler, "a");
    while ((await usedPercent()) < percent) await file.write(BLOCK);
    await file.close();
  };
  const unmount = async () => {
    await run("umount", [path]);
    await rm(path, { recursive: true });
  };
  return { path, usedPercent, fillTo, clear: () => rm(filler), unmount };
}
