// Which processes use files below a directory, or a device: what the message of a refused unmount
// names. Reads links under /proc, which the kernel answers from its own names without asking the
// mount, so a mount that hangs does not matter.
import { readdir, readFile, readlink } from 'node:fs/promises'
import { HOLDERS_NAMED_MAX } from '../base/limits.js'
import { isWithin } from './mount-table.js'

export interface Holder {
  readonly pid: number
  readonly command: string
  /** The file, directory or device by which it holds. */
  readonly path: string
}

/** One per process, in the order of pids. `path` is a directory, a file or a device. */
export async function holdersOf(path: string): Promise<readonly Holder[]> {
  const holders: Holder[] = []
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name)).map(Number)
  for (const pid of pids.sort((a, b) => a - b)) {
    const held = await heldBy(pid, path)
    if (held !== null) holders.push({ pid, command: await commandOf(pid), path: held })
  }
  return holders
}

/** "vim (pid 12), fio (pid 14) and 3 more" */
export function describeHolders(holders: readonly Holder[]): string {
  const named = holders
    .slice(0, HOLDERS_NAMED_MAX)
    .map(holder => `${holder.command} (pid ${holder.pid})`)
  const rest = holders.length - named.length
  return named.join(', ') + (rest > 0 ? ` and ${rest} more` : '')
}

async function heldBy(pid: number, path: string): Promise<string | null> {
  for (const link of [`/proc/${pid}/cwd`, `/proc/${pid}/root`, ...(await descriptors(pid))]) {
    const target = await targetOf(link)
    if (target !== null && isWithin(target, path)) return target
  }
  return null
}

async function descriptors(pid: number): Promise<readonly string[]> {
  try {
    return (await readdir(`/proc/${pid}/fd`)).map(fd => `/proc/${pid}/fd/${fd}`)
  } catch {
    // Ended meanwhile, or not ours to look at: then it cannot be named.
    return []
  }
}

async function targetOf(link: string): Promise<string | null> {
  try {
    return await readlink(link)
  } catch {
    // Closed meanwhile.
    return null
  }
}

async function commandOf(pid: number): Promise<string> {
  try {
    return (await readFile(`/proc/${pid}/comm`, 'utf8')).trim()
  } catch {
    // Ended meanwhile.
    return 'a process'
  }
}
